// Tests whether a descriptor is a terminal.
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// True if `fd` is a terminal (isatty(3)). Safe in a signal handler.
[[nodiscard]] inline bool isatty(int fd) noexcept {
    termios settings{};
    return sys().ioctl(fd, TCGETS, &settings) == 0;
}

}  // namespace sluice::os
