// Implements session_set: who waits, who is due, and which thread runs it.
#include "sluice/io/session_set.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <mutex>
#include <new>
#include <span>
#include <utility>

#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

// Events carry the number of a session; those of the wakeup fd and the timer fd belong to none.
constexpr std::uint64_t wakeup_number = 0;
constexpr std::uint64_t timer_number = ~std::uint64_t{0};

}  // namespace

session_set::entry::entry(session_set& owner)
    : owner_{owner},
      number_{owner.next_number_++},
      engine_{owner.slots_, owner.events_, number_,
              [](void* self) noexcept {
                  auto& s = *static_cast<entry*>(self);
                  s.owner_.wake(s);
              },
              this} {}

result<std::unique_ptr<session_set>> session_set::create() {
    auto events = epoll::create();
    if (!events) return failure(events.error());
    auto wakeup = os::wakeup::create();
    if (!wakeup) return failure(wakeup.error());
    unique_fd timer{os::sys().timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)};
    if (!timer) return failure_of(-timer.get());
    if (auto added = events->add(timer.get(), EPOLLIN, timer_number); !added) {
        return failure(added.error());
    }
    if (auto added = events->add(wakeup->fd(), EPOLLIN, wakeup_number); !added) {
        return failure(added.error());
    }
    return std::unique_ptr<session_set>{
        new session_set{std::move(*events), std::move(*wakeup), std::move(timer)}};
}

session_set::session_set(epoll events, os::wakeup wakeup, unique_fd timer)
    : events_{std::move(events)}, wakeup_{std::move(wakeup)}, timer_fd_{std::move(timer)} {}

result<void> session_set::add(entry& s, int socket) {
    const std::lock_guard lock{mutex_};
    try {
        entries_.emplace(s.number_, &s);
    } catch (const std::bad_alloc&) {
        return failure_of(ENOMEM);
    }
    // A new socket is writable, so a thread takes it up at once: the service may send first.
    auto added = events_.add(socket, EPOLLIN | EPOLLOUT | EPOLLONESHOT, s.number_);
    if (!added) {
        entries_.erase(s.number_);
        return added;
    }
    notified_.push_back(s);
    return {};
}

session_set::entry* session_set::next() noexcept {
    for (;;) {
        if (notice_ > 0) {
            if (entry* s = claim_not_notified()) return s;
            const std::lock_guard lock{mutex_};
            if (closed_) return nullptr;
        }
        std::array<epoll_event, 1> event{};
        const auto n = events_.wait(event, never);
        if (!n || *n == 0 || event[0].data.u64 == wakeup_number) continue;
        const auto number = event[0].data.u64;
        if (entry* s = number == timer_number ? claim_late() : claim(number)) return s;
    }
}

session_set::entry* session_set::claim(std::uint64_t number) noexcept {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(number);
    // Another thread, woken by the timer or a notice, may have been faster, and the client gone.
    if (found == entries_.end() || !unpark(*found->second)) return nullptr;
    return found->second;
}

session_set::entry* session_set::claim_late() noexcept {
    const std::lock_guard lock{mutex_};
    std::uint64_t expirations = 0;
    static_cast<void>(
        os::sys().read(timer_fd_.get(), std::as_writable_bytes(std::span{&expirations, 1})));
    timer_deadline_ = never;
    entry* late = nullptr;
    if (const parked* first = deadlines_.least();
        first != nullptr && first->until <= clock::now()) {
        late = &first->owner;
        static_cast<void>(unpark(*late));
    }
    // The next may be late already, and is another thread's then.
    if (const parked* next = deadlines_.least()) set_timer(next->until);
    return late;
}

session_set::entry* session_set::claim_not_notified() noexcept {
    const std::lock_guard lock{mutex_};
    while (!not_notified_.empty()) {
        entry& s = not_notified_.pop_front();
        notified_.push_back(s);
        // A running session learns of the notice when it would be parked.
        if (unpark(s)) return &s;
    }
    // Until it is read, it wakes every thread.
    if (!closed_) wakeup_.clear();
    return nullptr;
}

bool session_set::unpark(entry& s) noexcept {
    deadlines_.remove(s.wait_);
    return std::exchange(s.wait_.active, false);
}

// Not set later when the session that asked for it has gone on: it then fires once for none.
void session_set::set_timer(time_point when) noexcept {
    using namespace std::chrono;
    if (when >= timer_deadline_) return;
    timer_deadline_ = when;
    // All zeros would disarm it.
    const auto at = std::max(duration_cast<nanoseconds>(when.time_since_epoch()), nanoseconds{1});
    const auto whole = duration_cast<seconds>(at);
    const itimerspec once{.it_interval = {},
                          .it_value = {.tv_sec = whole.count(), .tv_nsec = (at - whole).count()}};
    os::sys().timerfd_settime(timer_fd_.get(), TFD_TIMER_ABSTIME, once);
}

void session_set::wait_until(entry& s, time_point when) noexcept {
    s.wait_.until = when;
    if (when == never) return;
    deadlines_.push(s.wait_);
    set_timer(when);
}

bool session_set::park(entry& s, bool can_go_on) noexcept {
    const std::lock_guard lock{mutex_};
    if (s.known_ < notice_) return false;
    // A message may have come meanwhile, whose sender found nothing to wake.
    can_go_on = can_go_on || s.engine_.is_due();
    if (!can_go_on && !s.engine_.watch()) return false;
    s.wait_.active = true;
    // A session that can go on has its next turns behind those that are late already.
    wait_until(s, can_go_on ? clock::now() : s.engine_.until());
    return true;
}

void session_set::wake(entry& s) noexcept {
    const std::lock_guard lock{mutex_};
    if (!s.wait_.active) return;
    deadlines_.remove(s.wait_);
    wait_until(s, clock::now());
}

void session_set::remove(entry& s) noexcept {
    const std::lock_guard lock{mutex_};
    entries_.erase(s.number_);
    s.unlink();
    close_if_empty();
}

void session_set::notify(unsigned notice) noexcept {
    const std::lock_guard lock{mutex_};
    notice_ = notice;
    not_notified_.take_all(notified_);
    close_if_empty();
    wake_threads();
}

void session_set::close_if_empty() noexcept {
    if (notice_ == 0 || !entries_.empty()) return;
    closed_ = true;
    wake_threads();
}

void session_set::wake_threads() noexcept {
    wakeup_.signal();
}

}  // namespace sluice::io
