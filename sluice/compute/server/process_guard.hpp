// Defines process_guard: a process that ends a server's child programs if the server is killed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::compute {

/// A forked process that knows process groups and the owner of each. When an owner has ended, for
/// example by SIGKILL, the guard sends SIGTERM to its groups, and SIGKILL 300 ms later.
/// PR_SET_PDEATHSIG would reach the group's leader only, when the thread that forked it ends.
/// Processes forked after the guard was started may use it too.
class process_guard {
 public:
    /// Forks: only while the process has one thread. The guard calls `confine`, which may be empty,
    /// before its first record. The errno of pipe(2) or fork(2).
    [[nodiscard]] static result<std::unique_ptr<process_guard>> start(
        const std::function<void()>& confine = {});
    process_guard(const process_guard&) = delete;
    process_guard& operator=(const process_guard&) = delete;
    /// In the process that started the guard: waits until it has ended, at most 400 ms unless
    /// another process still uses it.
    ~process_guard();

    /// The calling process owns `group` from watch() to forget(). Call forget() before reaping the
    /// leader, because the number may then be reused. Any thread.
    void watch(pid_t group) const noexcept;
    void forget(pid_t group) const noexcept;
    /// Keep open in forked processes that use the guard.
    [[nodiscard]] int fd() const noexcept { return to_.get(); }

 private:
    process_guard(unique_fd to, pid_t guard, pid_t owner) noexcept
        : to_{std::move(to)}, guard_{guard}, owner_{owner} {}

    unique_fd to_;
    pid_t guard_;
    pid_t owner_;
};

}  // namespace sluice::compute
