// Implements the epoll wrapper: epoll_create1(2), epoll_ctl(2), epoll_pwait2(2), epoll_wait(2).
#include "sluice/io/epoll.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <ctime>

#include "sluice/base/relaxed.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

result<epoll> epoll::create() noexcept {
    const int fd = os::sys().epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return failure_of(-fd);
    return epoll{fd};
}

result<void> epoll::add(int fd, std::uint32_t events, std::uint64_t data) noexcept {
    return control(EPOLL_CTL_ADD, fd, events, data);
}

result<void> epoll::modify(int fd, std::uint32_t events, std::uint64_t data) noexcept {
    return control(EPOLL_CTL_MOD, fd, events, data);
}

result<void> epoll::remove(int fd) noexcept {
    return control(EPOLL_CTL_DEL, fd, 0, 0);
}

result<std::size_t> epoll::wait(std::span<epoll_event> events, time_point until) noexcept {
    const std::atomic_ref coarse{coarse_};
    if (coarse.load(relaxed)) return wait_coarsely(events, until);
    timespec timeout{};
    const timespec* limit = &timeout;
    if (until == never) {
        limit = nullptr;
    } else if (until != time_point::min()) {
        timeout = time_left(until);
    }
    const int n = os::sys().epoll_pwait2(fd_.get(), events, limit);
    if (n >= 0) return static_cast<std::size_t>(n);
    // Older kernels lack epoll_pwait2, and seccomp filters of older containers reject it.
    if (n != -ENOSYS && n != -EPERM) return failure_of(-n);
    coarse.store(true, relaxed);
    return wait_coarsely(events, until);
}

result<std::size_t> epoll::wait_coarsely(std::span<epoll_event> events, time_point until) noexcept {
    int timeout = 0;
    if (until == never) {
        timeout = -1;
    } else if (until != time_point::min()) {
        // Rounded up: waking early would cost an empty turn.
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
        timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, INT_MAX));
    }
    const int n = os::sys().epoll_wait(fd_.get(), events, timeout);
    if (n < 0) return failure_of(-n);
    return static_cast<std::size_t>(n);
}

result<void> epoll::control(int what, int fd, std::uint32_t events, std::uint64_t data) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    const int failed = os::sys().epoll_ctl(fd_.get(), what, fd, &event);
    if (failed < 0) return failure_of(-failed);
    return {};
}

}  // namespace sluice::io
