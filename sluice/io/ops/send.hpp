// Sends to a socket: once, or until everything is sent.
#pragma once

#include <cstddef>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One send(2) with MSG_NOSIGNAL: how much the kernel took, at least a byte. EPIPE where the peer
/// is gone. The memory stays valid and unchanged until it completes.
class send final : public op {
 public:
    /// `mapped`: the memory is a file's, and the kernel may take a part for want of the rest, not
    /// only for want of room.
    send(engine& home, int fd, const_bytes what, int flags = 0, bool mapped = false) noexcept
        : op{kind_, home, fd}, what_{what}, flags_{flags}, mapped_{mapped} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    const_bytes what_;
    int flags_;
    bool mapped_;
};

/// send(2) until the last byte is taken. Gives the whole length, or the first error; how much went
/// out before an error is not known, as the peer's end of the stream is broken in any case.
class send_all final : public op {
 public:
    send_all(engine& home, int fd, const_bytes what) noexcept
        : op{kind_, home, fd}, what_{what}, length_{what.size()} {}
    /// With nothing to send there is nothing to ask the kernel, nor to wait for.
    [[nodiscard]] bool await_ready() const noexcept { return length_ == 0; }
    [[nodiscard]] result<std::size_t> await_resume() noexcept;

 private:
    static int attempt(op& o) noexcept;
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static verdict complete(op& o, const completion& c) noexcept;
    static const op_kind kind_;

    const_bytes what_;  // what is still to be sent
    std::size_t length_;
};

}  // namespace sluice::io
