// Timers: nodes in their owners' frames, on a heap per thread.
#pragma once

#include <ctime>

#include "sluice/base/check.hpp"
#include "sluice/base/intrusive_heap.hpp"
#include "sluice/os/clock.hpp"

namespace sluice::io {

/// The clock of deadlines.
using os::clock;
using time_point = clock::time_point;
using duration = clock::duration;
/// A deadline that never comes.
inline constexpr time_point never = time_point::max();

/// `now + d`, or `never` if that is beyond the range of the clock.
[[nodiscard]] constexpr time_point after(time_point now, duration d) noexcept {
    return d >= never - now ? never : now + d;
}

/// Time left until `until`, for a system call; zero if it has passed.
[[nodiscard]] inline timespec time_left(time_point until) noexcept {
    return os::timespec_of(until - clock::now());
}

/// A function that is called once, at a point in time. Lives in its owner, which disarms it before
/// it dies; allocates nothing.
class timer : public heap_hook<timer> {
 public:
    /// `fire` is called on the thread of the heap, after the timer has left the heap.
    explicit timer(void (*fire)(timer&) noexcept) noexcept : fire_{fire} {}
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    ~timer() { check(!in_heap(), "a timer is destroyed while it is armed"); }

    friend bool operator<(const timer& a, const timer& b) noexcept { return a.when_ < b.when_; }

 private:
    friend class timer_heap;
    time_point when_;
    void (*fire_)(timer&) noexcept;
};

/// The timers of one thread, the earliest first.
class timer_heap {
 public:
    /// The timer must not be armed. `never` as the deadline arms nothing.
    void arm(timer& t, time_point when) noexcept {
        if (when == never) return;
        t.when_ = when;
        heap_.push(t);
    }
    /// No effect on a timer that is not armed.
    void disarm(timer& t) noexcept { heap_.remove(t); }
    /// The earliest deadline; `never` if there is no timer.
    [[nodiscard]] time_point next() const noexcept {
        return heap_.empty() ? never : heap_.least()->when_;
    }
    /// Fires every timer that is due at `now`.
    void run(time_point now) noexcept {
        while (!heap_.empty() && heap_.least()->when_ <= now) {
            timer& t = *heap_.least();
            heap_.remove(t);
            t.fire_(t);
        }
    }

 private:
    intrusive_heap<timer> heap_;
};

}  // namespace sluice::io
