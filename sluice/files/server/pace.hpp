// Pace of uploads: the default, and its check where a transfer waits in one place.
#pragma once

#include <chrono>
#include <cstdint>

#include "sluice/files/pace.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::files {

/// Default for uploads: 256 bytes per second, over each half minute.
inline constexpr pace_limits default_upload_pace{.window = std::chrono::seconds{30},
                                                 .bytes_a_second = 256};

/// Does what at_pace() does for a transfer with one wait: it waits until next(), and goes on as
/// long as holds() is true afterwards.
class pace_watch {
 public:
    pace_watch(pace_limits limits, io::time_point now) noexcept
        : limits_{limits}, next_{io::after(now, limits.window)} {}

    [[nodiscard]] io::time_point next() const noexcept { return next_; }
    /// False where a window has ended in which too little moved; `bytes` have moved in all.
    [[nodiscard]] bool holds(io::time_point now, std::uint64_t bytes) noexcept {
        if (now < next_) return true;
        if (bytes - seen_ < limits_.least()) return false;
        seen_ = bytes;
        next_ = io::after(now, limits_.window);
        return true;
    }

 private:
    pace_limits limits_;
    io::time_point next_;
    std::uint64_t seen_ = 0;
};

}  // namespace sluice::files
