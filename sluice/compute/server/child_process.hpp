// Starts a child process on three pipes, in a process group of its own.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::compute {

/// A running child, the leader of the process group `pid`. The descriptors do not block and close
/// on exec. It is not reaped here: waitpid(2) is the owner's.
struct child_process {
    pid_t pid = 0;
    unique_fd pidfd;   ///< readable once it has ended (pidfd_open(2))
    unique_fd input;   ///< writes to its stdin: a pipe that is writable only while it is empty
    unique_fd output;  ///< reads its stdout
    unique_fd errors;  ///< reads its stderr

    /// Starts `command`, found as execvp(3) finds it, with the signals of a fresh program and our
    /// environment plus `more` ("NAME=value", which replaces a NAME of ours). Any thread. The errno
    /// of pipe(2), fcntl(2) or posix_spawn(3).
    [[nodiscard]] static result<child_process> start(const std::vector<std::string>& command,
                                                     const std::vector<std::string>& more);
    /// Sends `signal` to its process group.
    void signal_group(int signal) const noexcept;
};

/// Whether execvp(3) would find `name`.
[[nodiscard]] bool can_be_run(const std::string& name);
/// `ended with status 1`, `ended by signal 9 (Killed)`: a status of waitpid(2) in words.
[[nodiscard]] std::string how_it_ended(int status);

}  // namespace sluice::compute
