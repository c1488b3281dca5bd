// recv(2) and send(2) as plain system calls, for where a message must cost no more than those.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "sluice/base/bytes.hpp"
#include "sluice/base/sanitizer.hpp"

namespace sluice::io {

/// recv(2). In a process of several threads libc's own is a point of cancellation (pthreads(7)),
/// which is set up and taken down around each call; nothing here cancels threads. Sanitizers know
/// only libc's.
[[nodiscard]] inline ssize_t call_recv(int socket, mutable_bytes room, int flags) noexcept {
    if constexpr (address_sanitizer || thread_sanitizer) {
        return ::recv(socket, room.data(), room.size(), flags);
    } else {
        return ::syscall(SYS_recvfrom, socket, room.data(), room.size(), flags, nullptr, nullptr);
    }
}

/// send(2), likewise.
[[nodiscard]] inline ssize_t call_send(int socket, const_bytes what, int flags) noexcept {
    if constexpr (address_sanitizer || thread_sanitizer) {
        return ::send(socket, what.data(), what.size(), flags);
    } else {
        return ::syscall(SYS_sendto, socket, what.data(), what.size(), flags, nullptr, 0);
    }
}

}  // namespace sluice::io
