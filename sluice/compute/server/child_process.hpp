// Defines child_process: starts a child on three pipes, in a process group of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::compute {

/// A running child, the leader of the process group `pid`. The descriptors are non-blocking and
/// close-on-exec. The owner reaps the child with waitpid(2).
struct child_process {
    pid_t pid = 0;
    unique_fd pidfd;   ///< readable once the child has ended (pidfd_open(2))
    unique_fd input;   ///< writes to its stdin: a pipe that is writable only while it is empty
    unique_fd output;  ///< reads its stdout
    unique_fd errors;  ///< reads its stderr

    /// Starts `command`, found as execvp(3) finds it, with default signals and this process's
    /// environment plus `extra` ("NAME=value", which replaces a NAME of it). Any thread. The errno
    /// of pipe(2), fcntl(2), posix_spawn(3) or pidfd_open(2).
    [[nodiscard]] static result<child_process> start(const std::vector<std::string>& command,
                                                     const std::vector<std::string>& extra);
    /// Sends `signal` to its process group.
    void signal_group(int signal) const noexcept;
};

/// True if execvp(3) finds `name`.
[[nodiscard]] bool can_be_run(const std::string& name);
/// A status of waitpid(2) in words: `ended with status 1`, `ended by signal 9 (Killed)`.
[[nodiscard]] std::string how_it_ended(int status);

}  // namespace sluice::compute
