// Opens a pipe or a terminal once more, without blocking, through its descriptor.
#pragma once

#include "sluice/base/fd.hpp"

namespace sluice {

/// A second open file description of the pipe or terminal behind `fd`, with O_NONBLOCK, for the
/// same access: that flag belongs to the description (open(2)), and the one behind `fd` may be
/// shared with other processes, as stdout is. Close-on-exec, and never the controlling terminal.
/// None for what cannot be opened again: sockets, the far side of a pseudoterminal, a terminal of
/// another user (after su(1)), a system without /proc; nor for regular files, whose offset would be
/// another one.
[[nodiscard]] unique_fd open_again_nonblocking(int fd) noexcept;

}  // namespace sluice
