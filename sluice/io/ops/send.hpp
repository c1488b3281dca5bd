// Operations that send to a socket: one send(2), or until everything is sent.
#pragma once

#include <cstddef>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/record_layer.hpp"

namespace sluice::io {

/// One send(2) with MSG_NOSIGNAL: the bytes that the kernel took, at least one. EPIPE if the peer
/// is gone. The memory stays valid and unchanged until it completes.
class send final : public op {
 public:
    /// `mapped`: the memory is a file's, and a short send may mean a missing page, not only a full
    /// socket.
    send(engine& owner, int fd, const_bytes data, int flags = 0, bool mapped = false) noexcept
        : op{kind_, owner, fd}, data_{data}, flags_{flags}, mapped_{mapped} {}
    /// With a `layer`: the bytes that it encrypted, all of which the kernel took, unless `flags`
    /// has MSG_MORE. Without data, it sends what is left. If it is cancelled, it may have encrypted
    /// bytes, which are sent before any others.
    send(engine& owner, int fd, const_bytes data, int flags, record_layer* layer) noexcept
        : op{layer == nullptr ? kind_ : secure_kind_, owner, fd},
          data_{data},
          layer_{layer},
          flags_{flags} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static int secure_attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;
    static const op_kind secure_kind_;

    const_bytes data_;
    record_layer* layer_ = nullptr;
    int encrypted_ = 0;  // bytes of data_
    int flags_;
    bool mapped_ = false;
};

/// send(2) until the last byte is taken. Gives the whole length, or the first error; the amount
/// sent before an error is unknown, as the peer's end of the stream is broken in any case.
class send_all final : public op {
 public:
    send_all(engine& owner, int fd, const_bytes data, record_layer* layer = nullptr) noexcept
        : op{layer == nullptr ? kind_ : secure_kind_, owner, fd},
          data_{data},
          layer_{layer},
          length_{data.size()} {}
    /// With nothing to send it completes without a system call.
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static int secure_attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;
    static const op_kind secure_kind_;

    const_bytes data_;  // not sent yet
    record_layer* layer_;
    int encrypted_ = 0;  // bytes of data_
    std::size_t length_;
};

}  // namespace sluice::io
