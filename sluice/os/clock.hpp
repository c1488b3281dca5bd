// The clocks of the program: one for deadlines, one for people.
#pragma once

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

/// A duration, not negative, as the kernel takes it.
[[nodiscard]] constexpr timespec to_timespec(clock::duration d) noexcept {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(d);
    return {.tv_sec = seconds.count(), .tv_nsec = (d - seconds).count()};
}

/// Blocks the calling thread for `time`, also through signals.
inline void sleep_for(clock::duration time) noexcept {
    const auto until = clock::now() + time;
    for (auto left = time; left > clock::duration::zero(); left = until - clock::now()) {
        const timespec timeout = to_timespec(left);
        static_cast<void>(sys().ppoll({}, &timeout));
    }
}

}  // namespace sluice::os
