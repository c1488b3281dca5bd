// The clocks of the program: one for deadlines, one for people.
#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>

#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// The clock of deadlines, independent of the wall clock (clock_gettime(2), CLOCK_MONOTONIC).
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    /// A system call's price, some 20 ns: on an engine's thread, engine.now() is free.
    [[nodiscard]] static time_point now() noexcept {
        return time_point{duration{sys().monotonic_ns()}};
    }
};

/// The time of day. It may jump.
[[nodiscard]] inline std::chrono::system_clock::time_point wall_clock_now() noexcept {
    return std::chrono::system_clock::time_point{std::chrono::nanoseconds{sys().wall_ns()}};
}

/// A time for system calls. Negative ones become zero.
[[nodiscard]] constexpr timespec timespec_of(clock::duration time) noexcept {
    time = std::max(time, clock::duration::zero());
    const auto whole = std::chrono::floor<std::chrono::seconds>(time);
    return {.tv_sec = whole.count(), .tv_nsec = (time - whole).count()};
}

/// Blocks the calling thread for `time`, whatever signals come.
inline void sleep_for(clock::duration time) noexcept {
    const auto until = clock::now() + time;
    for (auto left = time; left > clock::duration::zero(); left = until - clock::now()) {
        const timespec timeout = timespec_of(left);
        static_cast<void>(sys().ppoll({}, &timeout));
    }
}

}  // namespace sluice::os
