// Filters of system calls (seccomp(2)), made by libseccomp.
#pragma once

#include <linux/filter.h>

#include <utility>
#include <vector>

#include "sluice/base/result.hpp"

namespace sluice::sandbox {

/// What a server needs besides what all do: the rows of system_calls.hpp.
struct server_needs {
    bool files = false;
    bool epoll = false;
    bool ring = false;
    bool new_ring = false;
    bool children = false;
    bool fork = false;
};

/// A program of the kernel's packet filter that judges each system call of the threads that it is
/// installed on, and of what they start. It cannot be taken back.
class system_call_filter {
 public:
    /// Lets through what a server with these needs calls once it listens. A dangerous call ends the
    /// process (SIGSYS, which the kernel logs); any other is answered ENOSYS, as by a kernel that
    /// does not have it, so that a newer C library goes another way. Threads may be started,
    /// processes by the fork model alone; no memory may become executable. ENOMEM; ENOSYS where
    /// libseccomp does not know the machine.
    [[nodiscard]] static result<system_call_filter> of_server(const server_needs& needs) noexcept;
    /// Lets everything through but a new ring, which ends the process as above.
    [[nodiscard]] static result<system_call_filter> of_new_rings() noexcept;
    /// Lets everything through but calls_refused_to_programs() and new namespaces, which are
    /// answered EPERM.
    [[nodiscard]] static result<system_call_filter> of_programs() noexcept;

    /// Installs it on the calling thread, or on all threads of the process, which then must have no
    /// filter that the calling one does not have. Needs PR_SET_NO_NEW_PRIVS or CAP_SYS_ADMIN. The
    /// errno of seccomp(2): ENOSYS, EINVAL where the kernel has no filters; EBUSY if a thread has
    /// another filter.
    [[nodiscard]] result<void> install_on_this_thread() noexcept;
    [[nodiscard]] result<void> install_on_all_threads() noexcept;

 private:
    explicit system_call_filter(std::vector<sock_filter> program) noexcept
        : program_{std::move(program)} {}
    static result<system_call_filter> compile(void* rules);
    [[nodiscard]] result<void> install(unsigned flags) noexcept;

    std::vector<sock_filter> program_;
};

/// True if the kernel has filters that end a process.
[[nodiscard]] bool has_system_call_filters() noexcept;

}  // namespace sluice::sandbox
