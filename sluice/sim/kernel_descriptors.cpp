// Implements the calls of the simulated kernel for descriptors and waiting.
#include <algorithm>
#include <cerrno>

#include "sluice/sim/epoll_set.hpp"
#include "sluice/sim/event_counter.hpp"
#include "sluice/sim/pipe.hpp"
#include "sluice/sim/signal_descriptor.hpp"
#include "sluice/sim/simulated_kernel.hpp"
#include "sluice/sim/timer_descriptor.hpp"

namespace sluice::sim {
namespace {

virtual_time nanoseconds(const timespec& t) noexcept {
    return t.tv_sec * a_second + t.tv_nsec;
}

}  // namespace

int simulated_kernel::close(int fd) noexcept {
    return call("close", {fd}, [&] { return current().table().take(fd) == nullptr ? -EBADF : 0; });
}

int simulated_kernel::close_range(unsigned first, unsigned last) noexcept {
    return call("close_range", {first, last}, [&] {
        descriptor_table& table = current().table();
        const auto end = static_cast<unsigned>(table.end());
        for (unsigned fd = first; fd < end && fd <= last; ++fd) {
            static_cast<void>(table.take(static_cast<int>(fd)));
        }
        return 0;
    });
}

int simulated_kernel::dup2(int from, int to) noexcept {
    return call("dup2", {from, to}, [&] {
        descriptor_table& table = current().table();
        auto d = table.find(from);
        if (d == nullptr || to < 0 || static_cast<std::size_t>(to) >= table.limit()) return -EBADF;
        if (from != to) static_cast<void>(table.put(to, std::move(d)));
        return to;
    });
}

int simulated_kernel::fcntl(int fd, int command, long argument) noexcept {
    return call("fcntl", {fd, command, argument}, [&] {
        const auto d = find(fd);
        if (d == nullptr) return -EBADF;
        descriptor_table& table = current().table();
        switch (command) {
            case F_GETFL: return d->flags();
            case F_SETFL: d->set_flags(static_cast<int>(argument)); return 0;
            case F_GETFD: return table.close_on_exec(fd) ? FD_CLOEXEC : 0;
            case F_SETFD: table.close_on_exec(fd) = (argument & FD_CLOEXEC) != 0; return 0;
            case F_DUPFD: return table.add(d, false, static_cast<int>(argument));
            case F_DUPFD_CLOEXEC: return table.add(d, true, static_cast<int>(argument));
            default: break;
        }
        if (d->what() != description::kind::pipe) return -EINVAL;
        auto& pipe = static_cast<pipe_end&>(*d);
        if (command == F_SETPIPE_SZ) pipe.set_capacity(static_cast<std::size_t>(argument));
        if (command != F_SETPIPE_SZ && command != F_GETPIPE_SZ) return -EINVAL;
        return static_cast<int>(pipe.capacity());
    });
}

int simulated_kernel::fcntl_lock(int fd, int command, struct flock& lock) noexcept {
    return call("fcntl", {fd, command}, [&] {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->lock(command, lock);
    });
}

int simulated_kernel::ioctl(int fd, unsigned long request, void* argument) noexcept {
    return call("ioctl", {fd, static_cast<std::int64_t>(request)}, [&] {
        const auto d = find(fd);
        return d == nullptr ? -EBADF : d->ioctl(request, argument);
    });
}

int simulated_kernel::pipe2(std::array<int, 2>& ends, int flags) noexcept {
    return call("pipe2", {flags}, [&] {
        if (const int failed = shortage(); failed < 0) return failed;
        const auto made = pipe_end::make(flags);
        const bool close_on_exec = (flags & O_CLOEXEC) != 0;
        const int reading = install(made[0], close_on_exec);
        if (reading < 0) return reading;
        const int writing = install(made[1], close_on_exec);
        if (writing < 0) {
            static_cast<void>(current().table().take(reading));
            return writing;
        }
        ends = {reading, writing};
        return 0;
    });
}

int simulated_kernel::eventfd(unsigned initial, int flags) noexcept {
    return call("eventfd", {initial, flags}, [&] {
        return install(std::make_shared<event_counter>(initial, flags), (flags & EFD_CLOEXEC) != 0);
    });
}

int simulated_kernel::signalfd(int fd, const sigset_t& signals, int flags) noexcept {
    return call("signalfd", {fd, flags}, [&] {
        if (fd < 0) {
            return install(std::make_shared<signal_descriptor>(current(), signals, flags),
                           (flags & SFD_CLOEXEC) != 0);
        }
        const auto d = find(fd);
        if (d == nullptr) return -EBADF;
        if (d->what() != description::kind::signals) return -EINVAL;
        static_cast<signal_descriptor&>(*d).set(signals);
        return fd;
    });
}

int simulated_kernel::timerfd_create(int clock, int flags) noexcept {
    return call("timerfd_create", {clock, flags}, [&] {
        return install(std::make_shared<timer_descriptor>(scheduler_, flags),
                       (flags & TFD_CLOEXEC) != 0);
    });
}

int simulated_kernel::timerfd_settime(int fd, int flags, const itimerspec& value) noexcept {
    return call("timerfd_settime", {fd, flags, nanoseconds(value.it_value)}, [&] {
        const auto d = find(fd);
        if (d == nullptr) return -EBADF;
        if (d->what() != description::kind::timer) return -EINVAL;
        virtual_time first = nanoseconds(value.it_value);
        if (first != 0 && (flags & TFD_TIMER_ABSTIME) == 0) first += scheduler_.now();
        static_cast<timer_descriptor&>(*d).set(first, nanoseconds(value.it_interval));
        return 0;
    });
}

int simulated_kernel::epoll_create1(int flags) noexcept {
    return call("epoll_create1", {flags}, [&] {
        return install(std::make_shared<epoll_set>(random_, faults_), (flags & EPOLL_CLOEXEC) != 0);
    });
}

int simulated_kernel::epoll_ctl(int fd, int operation, int of, epoll_event* event) noexcept {
    return call("epoll_ctl", {fd, operation, of, event == nullptr ? 0 : event->events}, [&] {
        const auto set = find(fd);
        const auto target = find(of);
        if (set == nullptr || target == nullptr) return -EBADF;
        if (set->what() != description::kind::epoll_set || set == target) return -EINVAL;
        return static_cast<epoll_set&>(*set).control(operation, of, *target, event);
    });
}

int simulated_kernel::epoll_pwait2(int fd, std::span<epoll_event> events,
                                   const timespec* timeout) noexcept {
    return call("epoll_pwait2", {fd},
                [&] { return wait_in_epoll(fd, events, deadline_of(timeout)); });
}

int simulated_kernel::epoll_wait(int fd, std::span<epoll_event> events, int timeout) noexcept {
    return call("epoll_wait", {fd, timeout}, [&] {
        return wait_in_epoll(fd, events,
                             timeout < 0 ? never : scheduler_.now() + timeout * a_millisecond);
    });
}

int simulated_kernel::ppoll(std::span<pollfd> watched, const timespec* timeout,
                            const sigset_t* mask) noexcept {
    return call("ppoll", {watched.empty() ? -1 : watched.back().fd}, [&] {
        if (mask == nullptr) return poll_all(watched, deadline_of(timeout));
        fiber& f = *scheduler_.current();
        const sigset_t before = std::exchange(f.blocked_signals, *mask);
        const bool interrupted = f.owner->take_signals(f) != process::handled::nothing;
        const int n = interrupted ? -EINTR : poll_all(watched, deadline_of(timeout));
        f.blocked_signals = before;
        return n;
    });
}

ssize_t simulated_kernel::read(int fd, mutable_bytes memory) noexcept {
    return call("read", {fd, static_cast<std::int64_t>(memory.size())}, [&] {
        const auto d = find(fd);
        if (d == nullptr) return ssize_t{-EBADF};
        return until_done(*d, POLLIN, "read", fd, [&] { return d->read(memory); });
    });
}

ssize_t simulated_kernel::write(int fd, const_bytes data) noexcept {
    return call("write", {fd, static_cast<std::int64_t>(data.size())}, [&] {
        const auto d = find(fd);
        if (d == nullptr) return ssize_t{-EBADF};
        // A stream or a pipe that blocks takes all of it.
        const bool flows =
            d->what() == description::kind::pipe || d->what() == description::kind::stream;
        std::size_t done = 0;
        ssize_t n = 0;
        do {
            n = until_done(*d, POLLOUT, "write", fd, [&] { return d->write(data.subspan(done)); });
            if (n > 0) done += static_cast<std::size_t>(n);
        } while (n > 0 && flows && d->blocks() && done < data.size());
        if (n == -EPIPE) break_pipe();
        return done > 0 ? static_cast<ssize_t>(done) : n;
    });
}

}  // namespace sluice::sim
