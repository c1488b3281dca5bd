// The flag of a socket that the calls inside the kernel look at.
#pragma once

#include <fcntl.h>

namespace sluice::transfer {

/// sendfile(2) and splice(2) know no MSG_DONTWAIT: they look at O_NONBLOCK of the socket alone.
inline void make_non_blocking(int socket) noexcept {
    const int flags = ::fcntl(socket, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) ::fcntl(socket, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace sluice::transfer
