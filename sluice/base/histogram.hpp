// A log-linear latency histogram with a relative error below 0.8 %, and its percentiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sluice {

/// A log-linear histogram like HdrHistogram: every power of two has 128 cells, so a value read from
/// it is never below the true one and at most 1/128 (0.8 %) above. Values are nanoseconds, any 64
/// bits. One thread.
class histogram {
 public:
    void add(std::uint64_t nanoseconds, std::uint64_t times = 1);
    void add(const histogram& other);

    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    /// The largest value, exact; 0 if the histogram is empty.
    [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
    /// The smallest cell bound that `share` of all values do not exceed: 0.99 gives the 99th
    /// percentile. 0 if the histogram is empty.
    [[nodiscard]] std::uint64_t at(double share) const noexcept;

    struct cell {
        std::uint64_t most;  ///< the largest value that the cell holds
        std::uint64_t count;
    };
    /// The cells that are not empty, in rising order. Adding each of them to another histogram
    /// yields an equal histogram, except for max(), which becomes the bound of the last cell.
    [[nodiscard]] std::vector<cell> cells() const;

 private:
    std::vector<std::uint64_t> counts_;  // by cell index, up to the largest value
    std::uint64_t count_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace sluice
