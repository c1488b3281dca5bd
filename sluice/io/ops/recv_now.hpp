// recv_now(): one recv(2) that does not wait.
#pragma once

#include <cerrno>

#include "sluice/base/bytes.hpp"
#include "sluice/io/ops/socket_call.hpp"

namespace sluice::io {

/// Any engine: the number of bytes, 0 at the end of the stream, or a negative errno; -EAGAIN if
/// nothing has come. For memory that a waiting coroutine should not hold.
[[nodiscard]] inline int recv_now(int socket, mutable_bytes memory) noexcept {
    const auto n = call_recv(socket, memory, MSG_DONTWAIT);
    return n < 0 ? -errno : static_cast<int>(n);
}

}  // namespace sluice::io
