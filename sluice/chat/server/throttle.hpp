// How fast one member may do what others pay for.
#pragma once

#include <algorithm>
#include <chrono>

#include "sluice/io/timer.hpp"

namespace sluice::chat {

/// A rate with a burst, kept as one point in time (the generic cell rate algorithm, ITU-T I.371).
class throttle {
 public:
    class pace {
     public:
        /// `rate` per second, 0 for none; `burst` at once on top, at least 1.
        pace(double rate, double burst) noexcept
            : interval_{rate > 0 ? in_time(1 / rate) : io::duration{}},
              tolerance_{rate > 0 ? in_time((burst - 1) / rate) : io::duration{}} {}

     private:
        friend class throttle;
        [[nodiscard]] static io::duration in_time(double seconds) noexcept {
            constexpr double longest = 1e9;
            return std::chrono::ceil<io::duration>(
                std::chrono::duration<double>{std::clamp(seconds, 0.0, longest)});
        }
        io::duration interval_;
        io::duration tolerance_;
    };

    /// How long until there is room for one more thing; zero if there is.
    [[nodiscard]] io::duration wait(const pace& p, io::time_point now) const noexcept {
        return std::max(io::duration{}, paid_until_ - p.tolerance_ - now);
    }
    /// One thing was done.
    void charge(const pace& p, io::time_point now) noexcept {
        paid_until_ = std::max(paid_until_, now) + p.interval_;
    }

 private:
    io::time_point paid_until_{};
};

}  // namespace sluice::chat
