// Tests whether a descriptor is a terminal.
#pragma once

#include <asm/ioctls.h>
#include <termios.h>

#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// True if `fd` is a terminal (ioctl_tty(2), TCGETS), as isatty(3) says it. Any thread.
[[nodiscard]] inline bool is_terminal(int fd) noexcept {
    termios ignored{};  // larger than the kernel's own
    return sys().ioctl(fd, TCGETS, &ignored) == 0;
}

}  // namespace sluice::os
