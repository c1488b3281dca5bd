// Implements session: OpenSSL between a socket and memory.
#include "sluice/tls/session.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "sluice/os/kernel.hpp"

namespace sluice::tls {
namespace {

using namespace std::chrono_literals;

// Plain bytes of one send.
constexpr std::size_t piece_size = std::size_t{256} << 10;
// A peer sees the first bytes of a record when it has all of it. The first records of a connection,
// and those after a pause, fit a few segments, for the congestion window is small then.
constexpr std::size_t small_record = 4096;
constexpr std::size_t large_record = 16384;
constexpr std::uint32_t small_until = 64U << 10;
constexpr auto pause_length = 1s;
// A record has no more around its bytes: 5 of header, 8 of nonce (TLS 1.2), 1 of type, 16 of tag.
constexpr std::size_t record_overhead = 40;
constexpr std::size_t scratch_size =
    piece_size + (piece_size / small_record + 2) * record_overhead + large_record;
// Records that OpenSSL makes while it reads: answers to key updates, alerts.
constexpr std::size_t most_unasked = std::size_t{64} << 10;
// OpenSSL receives so many bytes at once from a peer that has filled its usual buffer: four records
// of full size.
constexpr std::size_t read_ahead = 4 * (large_record + record_overhead);
constexpr std::size_t most_plain = 2048;

struct openssl_free {
    void operator()(void* memory) const noexcept { OPENSSL_free(memory); }
};

/// Memory of a thread for records on their way to send(2), between two uses.
mapping& spare_memory() noexcept {
    thread_local mapping of_thread;
    return of_thread;
}

}  // namespace

BIO_METHOD* session::socket_and_memory() {
    static const std::unique_ptr<BIO_METHOD, free_by<&BIO_meth_free>> method = [] {
        std::unique_ptr<BIO_METHOD, free_by<&BIO_meth_free>> made{
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice")};
        if (made == nullptr || BIO_meth_set_read_ex(made.get(), &bio_read) != 1 ||
            BIO_meth_set_write_ex(made.get(), &bio_write) != 1 ||
            BIO_meth_set_ctrl(made.get(), &bio_control) != 1) {
            throw std::bad_alloc{};
        }
        return made;
    }();
    return method.get();
}

session::session(ssl_ptr ssl, std::string_view protocol, std::shared_ptr<const void> context)
    : context_{std::move(context)}, ssl_{std::move(ssl)}, protocol_{protocol} {
    BIO* const bio = BIO_new(socket_and_memory());
    if (bio == nullptr) throw std::bad_alloc{};
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_read_ahead(ssl_.get(), 1);
}

session::~session() = default;

session& session::of(const SSL& ssl) noexcept {
    return *static_cast<session*>(BIO_get_data(SSL_get_rbio(&ssl)));
}

int session::bio_read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
    auto& self = *static_cast<session*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    // Bytes that were given make another attempt due, if the end of the stream hides behind them.
    if (self.dry_ && self.gave_) {
        BIO_set_retry_read(bio);
        return 0;
    }
    const mutable_bytes memory = std::as_writable_bytes(std::span{into, size});
    ssize_t n = -EINTR;
    while (n == -EINTR) n = os::sys().recv(self.fd_, memory, MSG_DONTWAIT);
    self.dry_ = n < static_cast<ssize_t>(size);
    if (n == 0) self.ended_ = true;
    if (n == -EAGAIN) BIO_set_retry_read(bio);
    if (n < 0 && n != -EAGAIN) self.read_status_ = static_cast<int>(n);
    if (n <= 0) return 0;
    if (!std::exchange(self.begun_, true) && memory.front() != handshake_record) {
        try {
            self.plain_.assign(into, std::min(static_cast<std::size_t>(n), most_plain));
        } catch (const std::bad_alloc&) {
            self.read_status_ = -ENOMEM;
        }
        return 0;
    }
    if (!self.dry_) SSL_set_default_read_buffer_len(self.ssl_.get(), read_ahead);
    *got = static_cast<std::size_t>(n);
    return 1;
}

int session::bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* taken) {
    auto& self = *static_cast<session*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (!self.append(std::as_bytes(std::span{data, size}))) return 0;
    *taken = size;
    return 1;
}

long session::bio_control(BIO* bio, int what, long /*number*/, void* /*pointer*/) {
    if (what == BIO_CTRL_FLUSH) return 1;
    if (what == BIO_CTRL_EOF) {
        return static_cast<session*>(BIO_get_data(bio))->ended_ ? 1 : 0;
    }
    return 0;
}

bool session::append(const_bytes records) noexcept {
    if (is_sending_) {
        if (records.size() > memory_.size() - used_) return false;
        std::memcpy(static_cast<std::byte*>(memory_.data()) + used_, records.data(),
                    records.size());
        used_ += records.size();
        return true;
    }
    if (unsent_.size() - sent_of_ + records.size() > most_unasked + piece_size) return false;
    try {
        unsent_.insert(unsent_.end(), records.begin(), records.end());
    } catch (const std::bad_alloc&) {
        return false;
    }
    return true;
}

int session::handshake(int fd) noexcept {
    fd_ = fd;
    dry_ = gave_ = false;
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    if (done == 1) {
        may_have_more_ = SSL_has_pending(ssl_.get()) == 1;
        return 0;
    }
    return read_error(SSL_get_error(ssl_.get(), done));
}

// The result of a read that gave nothing, by what SSL_get_error() says.
int session::read_error(int code) noexcept {
    if (code == SSL_ERROR_WANT_READ) return -EAGAIN;
    if (code == SSL_ERROR_ZERO_RETURN) return read_status_ = 0;
    if (read_status_ < 0) return read_status_;
    if (ended_) {
        ERR_clear_error();
        return read_status_ = cut_short;
    }
    try {
        why_ = take_reason();
    } catch (const std::bad_alloc&) {
        ERR_clear_error();
    }
    return read_status_ = broken;
}

int session::receive(int fd, mutable_bytes into) noexcept {
    if (read_status_ <= 0) return read_status_;
    fd_ = fd;
    dry_ = gave_ = may_have_more_ = false;
    std::size_t total = 0;
    int status = 0;
    while (total < into.size()) {
        ERR_clear_error();
        std::size_t got = 0;
        if (SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got) != 1) {
            status = read_error(SSL_get_error(ssl_.get(), 0));
            break;
        }
        total += got;
        gave_ = true;
    }
    if (total == into.size()) may_have_more_ = SSL_has_pending(ssl_.get()) == 1;
    // Answers to the peer, such as to a key update. They may wait.
    if (!unsent_.empty() && write_status_ == 0) static_cast<void>(send_rest(fd));
    if (total == 0) return status;
    // The end or the error is reported when these bytes have been taken.
    if (status != -EAGAIN && total < into.size()) may_have_more_ = true;
    return static_cast<int>(total);
}

int session::peek(int fd, mutable_bytes into) noexcept {
    if (read_status_ <= 0) return read_status_;
    fd_ = fd;
    dry_ = gave_ = false;
    ERR_clear_error();
    std::size_t got = 0;
    if (SSL_peek_ex(ssl_.get(), into.data(), into.size(), &got) != 1) {
        may_have_more_ = false;
        const int status = read_error(SSL_get_error(ssl_.get(), 0));
        may_have_more_ = status != -EAGAIN;
        return status;
    }
    may_have_more_ = true;
    return static_cast<int>(got);
}

void session::size_records(std::size_t bytes) noexcept {
    const auto now = io::clock::now();
    if (now - last_sent_ > pause_length) sent_since_pause_ = 0;
    last_sent_ = now;
    const bool small = sent_since_pause_ < small_until;
    if (small) sent_since_pause_ += static_cast<std::uint32_t>(bytes);
    if (small == small_records_) return;
    small_records_ = small;
    SSL_set_split_send_fragment(ssl_.get(), small ? small_record : large_record);
}

int session::send(int fd, const_bytes data, bool more) noexcept {
    if (write_status_ < 0) return write_status_;
    if (!unsent_.empty()) {
        if (const int left = send_rest(fd); left < 0) return left;
    }
    const std::size_t bytes =
        std::min(data.size(), sent_since_pause_ < small_until ? small_until : piece_size);
    if (used_ + bytes + (bytes / small_record + 2) * record_overhead > scratch_size) {
        if (const int left = flush(fd); left < 0) return left;
    }
    if (!borrow_memory()) return write_status_ = -ENOMEM;
    size_records(bytes);
    ERR_clear_error();
    std::size_t taken = 0;
    is_sending_ = true;
    const bool encrypted = SSL_write_ex(ssl_.get(), data.data(), bytes, &taken) == 1;
    is_sending_ = false;
    if (!encrypted) {
        used_ = 0;
        ERR_clear_error();
        return write_status_ = ended_ ? -EPIPE : broken;
    }
    if (more) return static_cast<int>(taken);
    const int left = flush(fd);
    return left < 0 && left != -EAGAIN ? left : static_cast<int>(taken);
}

bool session::borrow_memory() noexcept {
    if (memory_.size() == 0) memory_ = std::move(spare_memory());
    if (memory_.size() > 0) return true;
    auto made = mapping::create(scratch_size);
    if (made) memory_ = std::move(*made);
    return made.has_value();
}

int session::flush(int fd) noexcept {
    const int left = send_records(fd);
    if (memory_.size() > 0) spare_memory() = std::move(memory_);
    return left;
}

int session::send_records(int fd) noexcept {
    const_bytes records{static_cast<const std::byte*>(memory_.data()), std::exchange(used_, 0)};
    if (write_status_ < 0) return write_status_;
    // None is overtaken: records are made only when none is left unsent.
    if (!records.empty() && unsent_.empty()) {
        ssize_t n = -EINTR;
        while (n == -EINTR) n = os::sys().send(fd, records, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && n != -EAGAIN) return write_status_ = static_cast<int>(n);
        records = records.subspan(n < 0 ? 0 : static_cast<std::size_t>(n));
        if (records.empty()) return 0;
        try {
            unsent_.assign(records.begin(), records.end());
        } catch (const std::bad_alloc&) {
            return write_status_ = -ENOMEM;
        }
        return -EAGAIN;
    }
    return send_rest(fd);
}

int session::send_rest(int fd) noexcept {
    while (sent_of_ < unsent_.size()) {
        const auto n =
            os::sys().send(fd, const_bytes{unsent_}.subspan(sent_of_), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n == -EINTR) continue;
        if (n == -EAGAIN) return -EAGAIN;
        if (n < 0) return write_status_ = static_cast<int>(n);
        sent_of_ += static_cast<std::size_t>(n);
    }
    sent_of_ = 0;
    std::vector<std::byte>{}.swap(unsent_);
    return 0;
}

void session::end() noexcept {
    // To a peer that is gone without a word, there is no more to say.
    if (write_status_ < 0 || read_status_ < 0) return;
    if (SSL_is_init_finished(ssl_.get()) != 1) return;
    if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    ERR_clear_error();
    static_cast<void>(SSL_shutdown(ssl_.get()));
    ERR_clear_error();
}

std::string session::peer_name() const {
    const X509* const shown = SSL_get0_peer_certificate(ssl_.get());
    if (shown == nullptr || SSL_get_verify_result(ssl_.get()) != X509_V_OK) return {};
    const X509_NAME* const subject = X509_get_subject_name(shown);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    // With two names it could be either.
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
    unsigned char* text = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    const std::unique_ptr<unsigned char, openssl_free> owned{text};
    return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(size)};
}

}  // namespace sluice::tls
