// The clocks of the program: one for deadlines, one for people.
#pragma once

#include <chrono>

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

}  // namespace sluice::os
