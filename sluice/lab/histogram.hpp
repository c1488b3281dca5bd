// Counts latencies in cells that are as wide as they are long, so that all percentiles are as
// exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A log-linear histogram, as HdrHistogram has it: every power of two is cut into 128 cells, so
/// that what is read from it is never below the true value and at most 1/128 (0.8 %) above. Values
/// are nanoseconds, any 64 bits. One thread.
class histogram {
 public:
    void add(std::uint64_t nanoseconds, std::uint64_t times = 1);
    void add(const histogram& other);

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    /// Exact; 0 where nothing was counted.
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
    /// Of `share` of all values each is as small or smaller: 0.99 gives the 99th percentile. 0
    /// where nothing was counted.
    [[nodiscard]] std::uint64_t at(double share) const noexcept;

    struct cell {
        std::uint64_t most;  ///< the largest value that it holds
        std::uint64_t count;
    };
    /// Those that hold something, rising. Adding each to another histogram gives this one again,
    /// but for max(), which then is the last cell's.
    [[nodiscard]] std::vector<cell> cells() const;

 private:
    std::vector<std::uint64_t> counts_;  // as long as the largest value asks for
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

/// The percentiles that reports show: from the middle to the one in 100,000, as far as there are
/// values to tell them apart, and the largest.
[[nodiscard]] std::vector<quantile> quantiles_of(const histogram& counted);

}  // namespace sluice::lab
