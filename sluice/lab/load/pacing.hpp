// When each message of a constant rate is due.
#pragma once

#include <cstdint>

#include "sluice/lab/load/parts.hpp"

namespace sluice::lab {

/// Messages at a constant rate from a moment on. Nothing that happens to a message moves the next
/// one: they are due when they are due. Holds no clock.
class pacing {
 public:
    /// `rate` in messages a second, above 0.
    pacing(time_point start, double rate) noexcept : start_{start}, rate_{rate} {}

    /// When the next message is due.
    [[nodiscard]] time_point next() const noexcept {
        return start_ + seconds_of(static_cast<double>(taken_) / rate_);
    }
    [[nodiscard]] bool is_due(time_point now) const noexcept { return next() <= now; }
    /// Takes the next message, and says when it was due.
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
