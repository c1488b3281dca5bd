// A process that ends the programs of a server which did not live to do so itself.
#pragma once

#include <sys/types.h>

#include <memory>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::compute {

/// A forked process that is told of process groups, and of the process each belongs to. When that
/// one has ended, by SIGKILL for one, the guard sends SIGTERM to its groups, and SIGKILL 300 ms
/// later. PR_SET_PDEATHSIG would reach the group's leader only, and would come when the thread
/// ends that forked it. Processes that were forked after the guard was started may use it, too.
class process_guard {
 public:
    /// Forks: only while the process has one thread. The errno of pipe(2) or fork(2).
    [[nodiscard]] static result<std::unique_ptr<process_guard>> start();
    process_guard(const process_guard&) = delete;
    process_guard& operator=(const process_guard&) = delete;
    /// In the process that started it: returns when the guard has ended, at most 400 ms later
    /// unless another process still uses it.
    ~process_guard();

    /// The calling process owns `group` from now on, until forget(), which comes before the leader
    /// is reaped: its number could be another's then. Any thread.
    void watch(pid_t group) const noexcept;
    void forget(pid_t group) const noexcept;
    /// To be kept open in forked processes.
    [[nodiscard]] int fd() const noexcept { return to_.get(); }

 private:
    process_guard(unique_fd to, pid_t guard, pid_t owner) noexcept
        : to_{std::move(to)}, guard_{guard}, owner_{owner} {}

    unique_fd to_;
    pid_t guard_;
    pid_t owner_;
};

}  // namespace sluice::compute
