// recv_now(): one recv(2) that does not wait.
#pragma once

#include <sys/socket.h>

#include "sluice/base/bytes.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

/// Any engine: the number of bytes, 0 at the end of the stream, or a negative errno; -EAGAIN if
/// nothing has come. For memory that a waiting coroutine should not hold.
[[nodiscard]] inline int recv_now(int socket, mutable_bytes memory) noexcept {
    return static_cast<int>(os::sys().recv(socket, memory, MSG_DONTWAIT));
}

}  // namespace sluice::io
