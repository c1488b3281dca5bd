// TLS over one connection, as the record layer of its operations.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/io/record_layer.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/mapping.hpp"
#include "sluice/tls/openssl.hpp"

namespace sluice::tls {

/// The first byte of a client that begins a handshake (RFC 8446, section 5.1).
inline constexpr std::byte handshake_record{22};

/// TLS 1.2 or 1.3 by OpenSSL, which reads from the socket and writes to memory: what is encrypted
/// is sent by one send(2) for up to 256 KiB. Small while it is idle: OpenSSL has given back its
/// buffers, and bytes to be sent wait in memory of the thread, or here if the socket is full.
class session final : public io::record_layer {
 public:
    /// Takes a connection of OpenSSL that knows which side it is. `protocol` is static; `context`
    /// is kept as long as the session. Throws std::bad_alloc.
    session(ssl_ptr ssl, std::string_view protocol, std::shared_ptr<const void> context);
    ~session() override;

    /// One step of the handshake (RFC 8446, section 2): 0 if it is complete; -EAGAIN if bytes of
    /// the peer are awaited. flush() sends the rest of what this side has to say.
    [[nodiscard]] int handshake(int fd) noexcept;
    /// True if flush() has bytes to send that the socket has not taken, or that no send() has made.
    [[nodiscard]] bool has_unsent() const noexcept { return !unsent_.empty(); }
    /// The peer's first bytes, if they are no TLS; empty otherwise.
    [[nodiscard]] std::string_view plain() const noexcept { return plain_; }
    /// Why the handshake failed, as in "no shared cipher".
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] SSL* get() const noexcept { return ssl_.get(); }
    /// The session that a connection of OpenSSL belongs to.
    [[nodiscard]] static session& of(const SSL& ssl) noexcept;
    /// The protocol that it carries, as in ALPN.
    [[nodiscard]] std::string_view protocol() const noexcept { return protocol_; }

    [[nodiscard]] int receive(int fd, mutable_bytes into) noexcept override;
    [[nodiscard]] int peek(int fd, mutable_bytes into) noexcept override;
    [[nodiscard]] bool has_input() const noexcept override { return may_have_more_; }
    [[nodiscard]] bool drained() const noexcept override { return dry_ && !may_have_more_; }
    [[nodiscard]] int send(int fd, const_bytes data, bool more) noexcept override;
    [[nodiscard]] int flush(int fd) noexcept override;
    void end() noexcept override;
    /// The common name of the peer's certificate, which an authority has signed.
    [[nodiscard]] std::string peer_name() const override;

 private:
    static int bio_read(BIO* bio, char* into, std::size_t size, std::size_t* got);
    static int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* taken);
    static long bio_control(BIO* bio, int what, long number, void* pointer);
    static BIO_METHOD* socket_and_memory();

    [[nodiscard]] bool append(const_bytes records) noexcept;
    [[nodiscard]] int read_error(int code) noexcept;
    [[nodiscard]] bool borrow_memory() noexcept;
    [[nodiscard]] int send_records(int fd) noexcept;
    [[nodiscard]] int send_rest(int fd) noexcept;
    void size_records(std::size_t bytes) noexcept;

    std::shared_ptr<const void> context_;
    ssl_ptr ssl_;
    std::string_view protocol_;
    mapping memory_;                 // for records that flush() sends; the thread's, until then
    std::size_t used_ = 0;           // of it
    std::vector<std::byte> unsent_;  // records for which the socket had no room
    std::size_t sent_of_ = 0;        // of unsent_
    std::string plain_;
    std::string why_;
    io::time_point last_sent_;
    std::uint32_t sent_since_pause_ = 0;
    int fd_ = -1;
    int read_status_ = 1;   // 1, or the result of all later reads
    int write_status_ = 0;  // 0, or the result of all later writes
    bool begun_ = false;    // bytes have come
    bool dry_ = false;      // the last recv(2) emptied the socket
    bool gave_ = false;     // this attempt has given bytes
    bool may_have_more_ = false;
    bool ended_ = false;  // the socket's stream
    bool small_records_ = false;
    bool is_sending_ = false;  // OpenSSL makes records of what send() was given
};

}  // namespace sluice::tls
