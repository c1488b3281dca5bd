// Implements blocking_engine: waits with ppoll(2) for a descriptor and the wakeup fd.
#include "sluice/io/engines/blocking.hpp"

#include <poll.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

result<std::unique_ptr<engine>> blocking_engine::create(const engine_options& o) {
    auto wakeup = os::wakeup::create();
    if (!wakeup) return failure(wakeup.error());
    return std::unique_ptr<engine>{new blocking_engine{o, std::move(*wakeup)}};
}

blocking_engine::blocking_engine(const engine_options& o, os::wakeup wakeup)
    : engine{o}, wakeup_{std::move(wakeup)} {}

void blocking_engine::wake() noexcept {
    wakeup_.signal();
}

bool blocking_engine::start(op& o) noexcept {
    const interest want = o.kind().want;
    // A read usually has to wait and polls first; a write usually not, and attempts first.
    bool ready = want != interest::in || o.kind().may_hold_input;
    for (;;) {
        if (ready) {
            const outcome result = attempt(o);
            if (result == outcome::over) return true;
            // No other coroutine on this thread could return a buffer.
            if (result == outcome::no_buffer) {
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
    // Only a timer or a message inside the wait of `o` cancels it; start() checks that next.
    check(o.cancelled_, "an operation is withdrawn that was not cancelled");
}

void blocking_engine::wait(time_point until) noexcept {
    static_cast<void>(wait_for(-1, 0, until));
}

bool blocking_engine::wait_for(int fd, short events, time_point until) noexcept {
    std::array<pollfd, 3> watched{
        {{wakeup_.fd(), POLLIN, 0}, {fd, events, 0}, {beside_fd_, POLLIN, 0}}};
    const std::size_t count = beside_fd_ < 0 ? watched.size() - 1 : watched.size();
    const timespec left = until == time_point::min() ? timespec{} : time_left(until);
    const int n =
        os::sys().ppoll(std::span{watched}.first(count), until == never ? nullptr : &left);
    update_clock();
    if (n < 0) {
        check(n == -EINTR, "ppoll failed");
        return false;
    }
    if (watched[0].revents != 0) wakeup_.clear();
    if (watched[2].revents != 0) beside_();
    return watched[1].revents != 0;
}

}  // namespace sluice::io
