// Operations that send to a socket: one send(2), or until everything is sent.
#pragma once

#include <cstddef>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One send(2) with MSG_NOSIGNAL: the bytes that the kernel took, at least one. EPIPE if the peer
/// is gone. The memory stays valid and unchanged until it completes.
class send final : public op {
 public:
    /// `mapped`: the memory is a file's, and a short send may mean a missing page, not only a full
    /// socket.
    send(engine& owner, int fd, const_bytes data, int flags = 0, bool mapped = false) noexcept
        : op{kind_, owner, fd}, data_{data}, flags_{flags}, mapped_{mapped} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    const_bytes data_;
    int flags_;
    bool mapped_;
};

/// send(2) until the last byte is taken. Gives the whole length, or the first error; the amount
/// sent before an error is unknown, as the peer's end of the stream is broken in any case.
class send_all final : public op {
 public:
    send_all(engine& owner, int fd, const_bytes data) noexcept
        : op{kind_, owner, fd}, data_{data}, length_{data.size()} {}
    /// With nothing to send it completes without a system call.
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    const_bytes data_;  // not sent yet
    std::size_t length_;
};

}  // namespace sluice::io
