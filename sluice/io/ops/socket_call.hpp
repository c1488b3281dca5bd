// recv(2) and send(2) as plain system calls, without the overhead of libc's wrappers.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "sluice/base/bytes.hpp"
#include "sluice/base/sanitizer.hpp"

namespace sluice::io {

/// recv(2). In a process of several threads libc's wrapper is a cancellation point (pthreads(7)),
/// which is set up and taken down around each call; sluice cancels no threads. Sanitizers intercept
/// only libc's wrapper.
[[nodiscard]] inline ssize_t call_recv(int socket, mutable_bytes memory, int flags) noexcept {
    if constexpr (address_sanitizer || thread_sanitizer) {
        return ::recv(socket, memory.data(), memory.size(), flags);
    } else {
        return ::syscall(SYS_recvfrom, socket, memory.data(), memory.size(), flags, nullptr,
                         nullptr);
    }
}

/// send(2), likewise.
[[nodiscard]] inline ssize_t call_send(int socket, const_bytes data, int flags) noexcept {
    if constexpr (address_sanitizer || thread_sanitizer) {
        return ::send(socket, data.data(), data.size(), flags);
    } else {
        return ::syscall(SYS_sendto, socket, data.data(), data.size(), flags, nullptr, 0);
    }
}

}  // namespace sluice::io
