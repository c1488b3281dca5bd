// Counts of durations in fixed buckets, which threads add to and any thread reads.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "sluice/base/owned_counter.hpp"
#include "sluice/base/relaxed.hpp"

namespace sluice {

/// The buckets' upper bounds in nanoseconds, 5 us to 60 s; one without a bound follows them.
inline constexpr auto latency_bounds = std::to_array<std::uint64_t>(
    {5'000,         10'000,         25'000,        50'000,      100'000,       250'000,
     500'000,       1'000'000,      2'500'000,     5'000'000,   10'000'000,    25'000'000,
     50'000'000,    100'000'000,    250'000'000,   500'000'000, 1'000'000'000, 2'500'000'000,
     5'000'000'000, 10'000'000'000, 60'000'000'000});

/// What was counted at some moment.
struct latency_snapshot {
    std::array<std::uint64_t, latency_bounds.size() + 1> counts{};  ///< by bucket
    std::uint64_t sum_ns = 0;

    latency_snapshot& operator+=(const latency_snapshot& o) noexcept {
        for (std::size_t i = 0; i < counts.size(); ++i) counts.at(i) += o.counts.at(i);
        sum_ns += o.sum_ns;
        return *this;
    }
};

/// Counts durations. `Counter` is owned_counter where one thread adds, and std::atomic where
/// several threads or processes do: then it may lie in memory that they share. Orders no other
/// memory.
template <class Counter>
class latency_counts {
 public:
    void add(std::uint64_t nanoseconds) noexcept {
        const auto* const bucket = std::ranges::lower_bound(latency_bounds, nanoseconds);
        increase(counts_.at(static_cast<std::size_t>(bucket - latency_bounds.begin())), 1);
        increase(sum_ns_, nanoseconds);
    }
    /// Any thread. One that adds meanwhile may be in a count and not yet in the sum.
    [[nodiscard]] latency_snapshot read() const noexcept {
        latency_snapshot now;
        for (std::size_t i = 0; i < counts_.size(); ++i) now.counts.at(i) = counts_.at(i);
        now.sum_ns = sum_ns_;
        return now;
    }

 private:
    static void increase(owned_counter& c, std::uint64_t n) noexcept { c += n; }
    static void increase(std::atomic<std::uint64_t>& c, std::uint64_t n) noexcept {
        c.fetch_add(n, relaxed);
    }

    std::array<Counter, latency_bounds.size() + 1> counts_{};
    Counter sum_ns_{};
};

using owned_latency = latency_counts<owned_counter>;
using shared_latency = latency_counts<std::atomic<std::uint64_t>>;

}  // namespace sluice
