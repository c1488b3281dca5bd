// Defines throttle, a rate limit with a burst (the generic cell rate algorithm).
#pragma once

#include <algorithm>
#include <chrono>

#include "sluice/io/timer.hpp"

namespace sluice::chat {

/// Limits a rate, with a burst; its state is one point in time (GCRA, ITU-T I.371).
class throttle {
 public:
    class pace {
     public:
        /// `rate` per second, 0 for no limit; `burst`, at least 1, may come at once.
        pace(double rate, double burst) noexcept
            : interval_{rate > 0 ? to_duration(1 / rate) : io::duration{}},
              tolerance_{rate > 0 ? to_duration((burst - 1) / rate) : io::duration{}} {}

     private:
        friend class throttle;
        [[nodiscard]] static io::duration to_duration(double seconds) noexcept {
            constexpr double max_seconds = 1e9;
            return std::chrono::ceil<io::duration>(
                std::chrono::duration<double>{std::clamp(seconds, 0.0, max_seconds)});
        }
        io::duration interval_;
        io::duration tolerance_;
    };

    /// Time until the next event conforms; zero if it conforms now.
    [[nodiscard]] io::duration wait(const pace& p, io::time_point now) const noexcept {
        return std::max(io::duration{}, theoretical_arrival_ - p.tolerance_ - now);
    }
    /// Counts one event at `now`.
    void charge(const pace& p, io::time_point now) noexcept {
        theoretical_arrival_ = std::max(theoretical_arrival_, now) + p.interval_;
    }

 private:
    io::time_point theoretical_arrival_{};
};

}  // namespace sluice::chat
