// Opens the pipe or terminal behind a descriptor again, with O_NONBLOCK.
#pragma once

#include "sluice/os/fd.hpp"

namespace sluice {

/// A second open file description of the pipe or terminal behind `fd`, with O_NONBLOCK and the same
/// access mode: that flag belongs to the description (open(2)), and the one behind `fd` may be
/// shared with other processes, as stdout is. Close-on-exec, and never the controlling terminal.
/// Empty for files that cannot be opened again: sockets, the master side of a pseudoterminal, a
/// terminal of another user (after su(1)), a system without /proc; and for regular files, whose
/// offset would be a separate one.
[[nodiscard]] unique_fd open_again_nonblocking(int fd) noexcept;

}  // namespace sluice
