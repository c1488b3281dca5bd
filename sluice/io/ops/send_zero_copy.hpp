// Zero-copy send of user memory (MSG_ZEROCOPY), and the notifications that free the memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/op.hpp"

namespace sluice::io {

/// One send(2) with MSG_ZEROCOPY, for which SO_ZEROCOPY must be set: the bytes that the kernel
/// took. The pages are pinned, so the memory may be unmapped at any time, but stays unchanged until
/// take_zero_copy_notes() has counted the send. On io_uring it is attempted as well: the
/// notification of IORING_OP_SEND_ZC comes when the peer has read, so a deadline could not end it.
class send_zero_copy final : public op {
 public:
    send_zero_copy(engine& owner, int socket, const_bytes data) noexcept
        : op{kind_, owner, socket}, data_{data} {}
    [[nodiscard]] result<std::size_t> await_resume() noexcept { return count(); }

 private:
    static int attempt(op& o) noexcept;
    static const op_kind kind_;

    const_bytes data_;
};

/// Counts the sends with MSG_ZEROCOPY on `socket` whose memory has become free since the last call
/// (Documentation/networking/msg_zerocopy.rst of the kernel). Does not wait. An errno of
/// recvmsg(2).
[[nodiscard]] result<std::uint32_t> take_zero_copy_notes(int socket) noexcept;

}  // namespace sluice::io
