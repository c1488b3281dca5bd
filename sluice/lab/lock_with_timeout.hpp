// Takes an exclusive flock(2) lock with a timeout.
#pragma once

#include <chrono>

namespace sluice::lab {

/// Takes flock(2) LOCK_EX. A killed process may leave a child between fork(2) and execve(2) that
/// holds its locks until the child dies, too; so a held lock is retried until `timeout` is over.
/// False after that, or on another error.
[[nodiscard]] bool lock_with_timeout(int file, std::chrono::milliseconds timeout);

/// The lab's timeout: long enough for a killed process to die.
inline constexpr std::chrono::milliseconds usual_timeout{500};

}  // namespace sluice::lab
