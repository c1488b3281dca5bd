// poll(2) on one descriptor and the bell, until the operation is done.
#include "sluice/io/engines/blocking.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::io {

result<std::unique_ptr<engine>> blocking_engine::create(const engine_options& o) {
    unique_fd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!bell) return failure_of(errno);
    return std::unique_ptr<engine>{new blocking_engine{o, std::move(bell)}};
}

blocking_engine::blocking_engine(const engine_options& o, unique_fd bell)
    : engine{o}, bell_{std::move(bell)} {}

void blocking_engine::wake() noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(::write(bell_.get(), &one, sizeof one));
}

bool blocking_engine::start(op& o) noexcept {
    const interest want = o.kind().want;
    // A read mostly has to wait, a write mostly not: each first does what is likely to be enough.
    bool ready = want != interest::in;
    for (;;) {
        if (ready) {
            const outcome result = attempt(o);
            if (result == outcome::over) return true;
            // Nobody else on this thread could bring a buffer home.
            if (result == outcome::starved) {
                static_cast<void>(completed(o, {.result = -ENOBUFS}));
                return true;
            }
        }
        if (o.cancelled_) {
            static_cast<void>(completed(o, {.result = -ECANCELED}));
            return true;
        }
        o.state_ = op::state::parked;
        const short events = want == interest::in ? POLLIN : POLLOUT;
        ready = wait_for(o.fd(), events, timers_.next());
        run_due();
    }
}

void blocking_engine::withdraw(op& o) noexcept {
    // Only from a timer or a letter inside the wait of `o`, which looks at its mark afterwards.
    check(o.cancelled_, "an operation is withdrawn that was not cancelled");
}

void blocking_engine::wait(time_point until) noexcept {
    static_cast<void>(wait_for(-1, 0, until));
}

bool blocking_engine::wait_for(int fd, short events, time_point until) noexcept {
    std::array<pollfd, 2> watched{{{bell_.get(), POLLIN, 0}, {fd, events, 0}}};
    const timespec left = until == time_point::min() ? timespec{} : time_left(until);
    const int n =
        ::ppoll(watched.data(), watched.size(), until == never ? nullptr : &left, nullptr);
    look_at_clock();
    if (n < 0) {
        check(errno == EINTR, "ppoll failed");
        return false;
    }
    if (watched[0].revents != 0) {
        std::uint64_t rings = 0;
        static_cast<void>(::read(bell_.get(), &rings, sizeof rings));
    }
    return watched[1].revents != 0;
}

}  // namespace sluice::io
