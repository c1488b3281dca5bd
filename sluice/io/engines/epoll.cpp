// Implements epoll_engine: readiness in slots, one edge-triggered registration per descriptor.
#include "sluice/io/engines/epoll.hpp"

#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/planted_bug.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

// An event carries the descriptor and the generation of its slot, so that an event of a closed
// descriptor is dropped when its number has been reused.
constexpr std::uint64_t wakeup_event = ~std::uint64_t{0};

std::uint64_t data_of(int fd, std::uint16_t generation) noexcept {
    return (std::uint64_t{generation} << 32) | static_cast<std::uint32_t>(fd);
}

}  // namespace

result<std::unique_ptr<engine>> epoll_engine::create(const engine_options& o) {
    auto poll = epoll::create();
    if (!poll) return failure(poll.error());
    auto wakeup = os::wakeup::create();
    if (!wakeup) return failure(wakeup.error());
    // Edge-triggered: each write is a new event, so the counter need not be read.
    if (auto added = poll->add(wakeup->fd(), EPOLLIN | EPOLLET, wakeup_event); !added) {
        return failure(added.error());
    }
    return std::unique_ptr<engine>{new epoll_engine{o, std::move(*poll), std::move(*wakeup)}};
}

epoll_engine::epoll_engine(const engine_options& o, epoll poll, os::wakeup wakeup)
    : engine{o}, epoll_{std::move(poll)}, wakeup_{std::move(wakeup)} {}

epoll_engine::~epoll_engine() {
    wait_for_senders();
}

void epoll_engine::wake() noexcept {
    if (planted(bug::talk_lost_wakeup)) return;
    wakeup_.signal();
}

bool epoll_engine::start(op& o) noexcept {
    if (o.kind().want != interest::none) {
        const fd_slot& s = slot(o.fd());
        if (!(o.kind().want == interest::in ? s.readable : s.writable)) {
            park(o);
            return false;
        }
    }
    return try_or_park(o);
}

bool epoll_engine::start_queued(op& o) noexcept {
    return try_or_park(o);
}

bool epoll_engine::try_or_park(op& o) noexcept {
    switch (attempt(o)) {
        case outcome::over: return true;
        case outcome::not_ready: park(o); return false;
        case outcome::no_buffer: wait_for_buffer(o); return false;
    }
    return false;
}

void epoll_engine::park(op& o) noexcept {
    o.state_ = op::state::parked;
    fd_slot& s = slot(o.fd());
    if (s.registered) return;
    // EPOLL_CTL_ADD reports present readiness, so no earlier event is missed.
    auto added = epoll_.add(o.fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
                            data_of(o.fd(), s.generation));
    if (added) {
        s.registered = true;
        return;
    }
    static_cast<void>(completed(o, {.result = -added.error().code()}));
    settle(o);
}

void epoll_engine::withdraw(op& o) noexcept {
    static_cast<void>(completed(o, {.result = -ECANCELED}));
    settle(o);
}

void epoll_engine::wait(time_point until) noexcept {
    auto n = epoll_.wait(events_, until);
    // A signal handler has run, or the kernel has torn down a ring of this process.
    while (!n && n.error().is(EINTR)) n = epoll_.wait(events_, until);
    update_clock();
    check(n.has_value(), "epoll_pwait2 failed");
    for (const epoll_event& event : std::span{events_}.first(*n)) {
        if (event.data.u64 != wakeup_event) take_in(event);
    }
}

void epoll_engine::take_in(const epoll_event& event) noexcept {
    const auto fd = static_cast<int>(event.data.u64 & 0xffff'ffffU);
    fd_slot& s = slot(fd);
    if (!s.registered || s.generation != static_cast<std::uint16_t>(event.data.u64 >> 32)) return;
    constexpr std::uint32_t ended = EPOLLHUP | EPOLLERR;
    // After an end no new edge comes, and a read stops short at an urgent byte (tcp(7)).
    if ((event.events & (ended | EPOLLRDHUP | EPOLLPRI)) != 0) s.short_is_ambiguous = true;
    if ((event.events & (EPOLLIN | EPOLLRDHUP | ended)) != 0) {
        s.readable = true;
        if (s.in != nullptr && s.in->state_ == op::state::parked) queue(*s.in);
    }
    if ((event.events & (EPOLLOUT | ended)) != 0) {
        s.writable = true;
        if (s.out != nullptr && s.out->state_ == op::state::parked) queue(*s.out);
    }
}

void epoll_engine::on_detach(int fd, fd_slot& s) noexcept {
    if (!s.registered) return;
    const auto removed = epoll_.remove(fd);
    check(removed.has_value(), "a descriptor was closed before it was detached");
}

}  // namespace sluice::io
