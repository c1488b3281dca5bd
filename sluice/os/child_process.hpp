// Defines child_process: a child of this process with its pidfd and pipes, signalled and reaped.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::os {

/// A child that is not reaped yet. The destructor kills it (SIGKILL) and reaps it, unless reap()
/// has. One thread.
class child_process {
 public:
    /// Starts `command`, found as execvp(3) finds it, as the leader of a process group, with
    /// default signals and this process's environment plus `extra` ("NAME=value", which replaces a
    /// NAME of it), on three pipes. Any thread. The errno of pipe(2), posix_spawn(3) or
    /// pidfd_open(2); EBUSY if a pipe cannot have the size of a page.
    [[nodiscard]] static result<child_process> start(const std::vector<std::string>& command,
                                                     const std::vector<std::string>& extra);
    /// Takes over a child that fork(2) returned; it has no pipes yet. The errno of pidfd_open(2):
    /// the child is then killed and reaped.
    [[nodiscard]] static result<child_process> adopt(pid_t pid) noexcept;
    child_process(child_process&& other) noexcept
        : input{std::move(other.input)},
          output{std::move(other.output)},
          errors{std::move(other.errors)},
          pid_{other.pid_},
          pidfd_{std::move(other.pidfd_)},
          to_reap_{std::exchange(other.to_reap_, false)} {}
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    /// Readable once it has ended (pidfd_open(2)).
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    /// Sends it `signal`. No effect once it is reaped.
    void signal(int signal) const noexcept;
    /// The same for its process group, which start() made.
    void signal_group(int signal) const noexcept;
    /// Waits, at most `timeout`; true if it has ended.
    [[nodiscard]] bool wait_for_end(std::chrono::milliseconds timeout) const noexcept;
    /// False once it is reaped, or moved from.
    [[nodiscard]] bool is_to_be_reaped() const noexcept { return to_reap_; }
    /// Waits for its end; the status of waitpid(2). Once.
    int reap() noexcept;
    /// Leaves it alone: it is neither killed nor reaped.
    void release() noexcept { to_reap_ = false; }

    // Of start(): non-blocking and close-on-exec.
    unique_fd input;   ///< writes to its stdin: a pipe that is writable only while it is empty
    unique_fd output;  ///< reads its stdout
    unique_fd errors;  ///< reads its stderr

 private:
    explicit child_process(pid_t pid) noexcept : pid_{pid} {}

    pid_t pid_;
    unique_fd pidfd_;
    bool to_reap_ = true;
};

/// True if execvp(3) finds `name`.
[[nodiscard]] bool can_be_run(const std::string& name);
/// A status of waitpid(2) in words: `ended with status 1`, `ended by signal 9 (Killed)`.
[[nodiscard]] std::string how_it_ended(int status);

}  // namespace sluice::os
