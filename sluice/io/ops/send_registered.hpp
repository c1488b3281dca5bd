// Zero-copy send from a registered buffer (io_uring).
#pragma once

#include <cstddef>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/registered_buffers.hpp"

namespace sluice::io {

/// IORING_OP_SEND_ZC of bytes in a registered_buffer, with IORING_RECVSEND_FIXED_BUF if that has an
/// index (io_uring_enter(2)): the bytes that the kernel took, all of them unless a cancel or an
/// error came in between. It may complete before the peer has read: the buffer waits for the
/// notification, and may be written to when it is idle. EOPNOTSUPP on a socket that cannot do it;
/// ENOMEM and ENOBUFS if too much is pinned (RLIMIT_MEMLOCK): use send() then. Only on the buffer's
/// engine.
class send_registered final : public op {
 public:
    /// `length` bytes from `offset` on, all within the buffer.
    send_registered(engine& owner, int socket, const registered_buffer& from, std::size_t offset,
                    std::size_t length) noexcept
        : op{kind_, owner, socket}, from_{from}, data_{from.bytes().subspan(offset, length)} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    const registered_buffer& from_;
    const_bytes data_;
};

}  // namespace sluice::io
