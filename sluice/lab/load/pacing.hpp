// Computes when each message of a constant rate is due.
#pragma once

#include <cstdint>

#include "sluice/lab/load/parts.hpp"

namespace sluice::lab {

/// The schedule of messages at a constant rate from `start` on. A late message does not delay later
/// ones. Holds no clock.
class pacing {
 public:
    /// `rate` in messages per second, above 0.
    pacing(time_point start, double rate) noexcept : start_{start}, rate_{rate} {}

    /// When the next message is due.
    [[nodiscard]] time_point next() const noexcept {
        return start_ + seconds_of(static_cast<double>(taken_) / rate_);
    }
    [[nodiscard]] bool is_due(time_point now) const noexcept { return next() <= now; }
    /// Takes the next message; returns when it was due.
    time_point take() noexcept {
        const auto due = next();
        ++taken_;
        return due;
    }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

 private:
    time_point start_;
    double rate_;
    std::uint64_t taken_ = 0;
};

}  // namespace sluice::lab
