// Sends from a registered buffer without copying it into the kernel.
#pragma once

#include <cstddef>

#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/registered_buffers.hpp"

namespace sluice::io {

/// IORING_OP_SEND_ZC of bytes in a registered_buffer, with IORING_RECVSEND_FIXED_BUF where that has
/// an index (io_uring_enter(2)): how much the kernel took, all of it unless a cancel or an error
/// came in between. It is over then, whether or not the peer has read: the buffer owes the note,
/// and may be written to when it is idle. EOPNOTSUPP on a socket that cannot do it; ENOMEM and
/// ENOBUFS where too much is pinned (RLIMIT_MEMLOCK): then send() does. Only on the engine that the
/// buffer belongs to.
class send_registered final : public op {
 public:
    /// `length` bytes from `offset` on, all within the buffer.
    send_registered(engine& home, int socket, const registered_buffer& from, std::size_t offset,
                    std::size_t length) noexcept
        : op{kind_, home, socket}, from_{from}, what_{from.bytes().subspan(offset, length)} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static void prepare(op& o, io_uring_sqe& entry) noexcept;
    static const op_kind kind_;

    const registered_buffer& from_;
    const_bytes what_;
};

}  // namespace sluice::io
