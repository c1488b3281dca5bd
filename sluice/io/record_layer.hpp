// Interface record_layer: what encrypts and decrypts the bytes of a connection, such as TLS.
#pragma once

#include <string>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"

namespace sluice::io {

/// Stands between the operations of a connection and its socket. Operations that receive or send
/// ask it in their attempts, on every engine; io_uring polls for readiness and attempts, for its
/// kernel cannot encrypt. One thread at a time; a reader and a writer may take turns.
///
/// A result is a number of bytes, a negative errno, -EAGAIN if the socket is not ready, or one of
/// the codes below. After an error other than -EAGAIN, all later results are errors.
class record_layer {
 public:
    record_layer() = default;
    record_layer(const record_layer&) = delete;
    record_layer& operator=(const record_layer&) = delete;
    virtual ~record_layer() = default;

    /// The stream has ended without the peer's word that it is whole.
    static constexpr int cut_short = -5001;
    /// The peer broke the protocol, or refuses to go on.
    static constexpr int broken = -5002;
    /// A negative result as an error: fault::cut_short, fault::tls_broken or an errno.
    [[nodiscard]] static error error_of(int result) noexcept {
        if (result == cut_short) return fault::cut_short;
        if (result == broken) return fault::tls_broken;
        return error::system(-result);
    }

    /// Receives plain bytes without waiting: at least one; 0 at the end that the peer announced.
    [[nodiscard]] virtual int receive(int fd, mutable_bytes into) noexcept = 0;
    /// The same, and leaves them to be received again.
    [[nodiscard]] virtual int peek(int fd, mutable_bytes into) noexcept = 0;
    /// True if receive() may give bytes although the socket has none.
    [[nodiscard]] virtual bool has_input() const noexcept = 0;
    /// True if the last receive() emptied the socket.
    [[nodiscard]] virtual bool drained() const noexcept = 0;

    /// Encrypts bytes, all or the first of them, which are sent when flush() says so: their number.
    /// With `more`, they may wait for the next ones. -EAGAIN if earlier ones must be flushed first.
    [[nodiscard]] virtual int send(int fd, const_bytes data, bool more) noexcept = 0;
    /// Sends what is encrypted and not sent yet: 0 if nothing is left.
    [[nodiscard]] virtual int flush(int fd) noexcept = 0;
    /// The name that the peer has proved to be its own, as by a certificate; empty: none. Throws
    /// std::bad_alloc.
    [[nodiscard]] virtual std::string peer_name() const = 0;

    /// Encrypts the announcement that nothing more is sent; flush() sends it. Idempotent.
    virtual void end() noexcept = 0;
    /// Whether a close announces the end, too; it does unless this was said.
    void announce_end(bool on) noexcept { announces_end_ = on; }
    [[nodiscard]] bool announces_end() const noexcept { return announces_end_; }

 private:
    bool announces_end_ = true;
};

}  // namespace sluice::io
