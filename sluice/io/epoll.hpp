// Wrapper of an epoll instance (epoll(7)): RAII, and a result per system call.
#pragma once

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "sluice/base/result.hpp"
#include "sluice/base/sanitizer.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::io {

/// An epoll instance. Errors are the errno of the call. Any thread; threads that wait() at the same
/// time share the events.
class epoll {
 public:
    /// epoll_create1(2), closed on exec.
    [[nodiscard]] static result<epoll> create() noexcept;

    /// epoll_ctl(2) with EPOLL_CTL_ADD: watches `fd` for `events` (EPOLLIN | EPOLLET ...), which
    /// come back with `data`. EPERM: a regular file or a directory, which is always ready.
    [[nodiscard]] result<void> add(int fd, std::uint32_t events, std::uint64_t data) noexcept;
    /// EPOLL_CTL_MOD: other events or other data for a descriptor that was added.
    [[nodiscard]] result<void> modify(int fd, std::uint32_t events, std::uint64_t data) noexcept;
    /// EPOLL_CTL_DEL. Before close(2): duplicates of `fd` keep its open file alive, and its events
    /// with it.
    [[nodiscard]] result<void> remove(int fd) noexcept;
    /// epoll_pwait2(2), or epoll_wait(2) where it is missing: fills `events` and returns how many
    /// there are, 0 at the deadline. `until` in the past polls without waiting; `never` waits for
    /// ever. EINTR is an error here.
    [[nodiscard]] result<std::size_t> wait(std::span<epoll_event> events,
                                           time_point until) noexcept;

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
    explicit epoll(int fd) noexcept : fd_{fd} {}
    result<void> control(int what, int fd, std::uint32_t events, std::uint64_t data) noexcept;

    result<std::size_t> wait_coarsely(std::span<epoll_event> events, time_point until) noexcept;

    unique_fd fd_;
    // epoll_pwait2 is missing, or the sanitizer does not intercept it: waits in milliseconds.
    // Threads that wait at the same time share it, through a std::atomic_ref, as an atomic could
    // not move.
    bool coarse_ = thread_sanitizer;
};

}  // namespace sluice::io
