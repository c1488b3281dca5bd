// Takes a lock that somebody who is dying may hold for another moment.
#pragma once

#include <chrono>

namespace sluice::lab {

/// flock(2) for itself alone. Whoever was killed may leave a child between fork(2) and execve(2),
/// which holds its locks until it is gone, too: so a lock that is held is asked for again, until
/// `patience` is over. False then, or where it cannot be had (errno).
[[nodiscard]] bool lock_soon(int file, std::chrono::milliseconds patience);

/// For labs: long enough for a process to die, and hardly noticed where a lab is running.
inline constexpr std::chrono::milliseconds usual_patience{500};

}  // namespace sluice::lab
