// Defines log_budget, a token bucket that limits log lines and counts those left out.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "sluice/io/timer.hpp"

namespace sluice::compute {

/// Allows `burst` lines at once and `per_second` after that. One thread.
class log_budget {
 public:
    log_budget(double burst, double per_second) noexcept
        : burst_{burst}, per_second_{per_second}, left_{burst} {}

    /// Counts one line. None if it must be left out; else how many were left out before it.
    [[nodiscard]] std::optional<std::uint64_t> take(io::time_point now) noexcept {
        if (last_ != io::time_point{}) {
            const std::chrono::duration<double> since = now - last_;
            left_ = std::min(burst_, left_ + since.count() * per_second_);
        }
        last_ = now;
        if (left_ < 1) {
            ++left_out_;
            return std::nullopt;
        }
        left_ -= 1;
        return std::exchange(left_out_, 0);
    }

 private:
    double burst_;
    double per_second_;
    double left_;
    io::time_point last_{};
    std::uint64_t left_out_ = 0;
};

}  // namespace sluice::compute
