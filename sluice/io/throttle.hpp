// Defines throttle, a rate limit with a burst (the generic cell rate algorithm).
#pragma once

#include <algorithm>
#include <chrono>

#include "sluice/io/timer.hpp"

namespace sluice::io {

/// Limits a rate, with a burst; its state is one point in time (GCRA, ITU-T I.371).
class throttle {
 public:
    class pace {
     public:
        /// `rate` per second, 0 for no limit; `burst`, at least 1, may come at once.
        pace(double rate, double burst) noexcept
            : interval_{rate > 0 ? to_duration(1 / rate) : duration{}},
              tolerance_{rate > 0 ? to_duration((burst - 1) / rate) : duration{}} {}

     private:
        friend class throttle;
        [[nodiscard]] static duration to_duration(double seconds) noexcept {
            constexpr double max_seconds = 1e9;
            return std::chrono::ceil<duration>(
                std::chrono::duration<double>{std::clamp(seconds, 0.0, max_seconds)});
        }
        duration interval_;
        duration tolerance_;
    };

    /// The pace of a rate and a burst that may change, worked out again when they do.
    class changing_pace {
     public:
        changing_pace(double rate, double burst) noexcept
            : rate_{rate}, burst_{burst}, pace_{rate, burst} {}
        [[nodiscard]] const pace& at(double rate, double burst) noexcept {
            if (rate != rate_ || burst != burst_) *this = changing_pace{rate, burst};
            return pace_;
        }

     private:
        double rate_;
        double burst_;
        pace pace_;
    };

    /// Time until the next event conforms; zero if it conforms now.
    [[nodiscard]] duration wait(const pace& p, time_point now) const noexcept {
        return std::max(duration{}, theoretical_arrival_ - p.tolerance_ - now);
    }
    /// Whether it is as if no event had ever come: it can be forgotten.
    [[nodiscard]] bool is_rested(time_point now) const noexcept {
        return theoretical_arrival_ <= now;
    }
    /// Counts one event at `now`.
    void charge(const pace& p, time_point now) noexcept {
        theoretical_arrival_ = std::max(theoretical_arrival_, now) + p.interval_;
    }

 private:
    time_point theoretical_arrival_{};
};

}  // namespace sluice::io
