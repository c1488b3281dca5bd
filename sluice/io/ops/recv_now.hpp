// One look at what a socket has received.
#pragma once

#include <cerrno>

#include "sluice/base/bytes.hpp"
#include "sluice/io/ops/socket_call.hpp"

namespace sluice::io {

/// One recv(2) that does not wait, on any engine: the count, 0 at the end of the stream, or a
/// negative errno; -EAGAIN where nothing has come. For memory that is not to be held meanwhile.
[[nodiscard]] inline int recv_now(int socket, mutable_bytes room) noexcept {
    const auto n = call_recv(socket, room, MSG_DONTWAIT);
    return n < 0 ? -errno : static_cast<int>(n);
}

}  // namespace sluice::io
