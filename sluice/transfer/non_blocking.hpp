// Sets O_NONBLOCK on a socket.
#pragma once

#include <fcntl.h>

#include "sluice/os/kernel.hpp"

namespace sluice::transfer {

/// sendfile(2) and splice(2) have no MSG_DONTWAIT: only O_NONBLOCK keeps them from blocking.
inline void make_non_blocking(int socket) noexcept {
    os::kernel& sys = os::sys();
    const int flags = sys.fcntl(socket, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) sys.fcntl(socket, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace sluice::transfer
