// Durations are counted in the bucket that holds them, by one thread or by several.
#include "sluice/base/latency_counts.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "sluice/base/spread.hpp"

namespace sluice {
namespace {

TEST(latency_counts, a_bound_belongs_to_its_bucket) {
    owned_latency counts;
    counts.add(0);
    counts.add(latency_bounds.front());
    counts.add(latency_bounds.front() + 1);
    counts.add(latency_bounds.back() + 1);
    const auto now = counts.read();
    EXPECT_EQ(now.counts.front(), 2U);
    EXPECT_EQ(now.counts[1], 1U);
    EXPECT_EQ(now.counts.back(), 1U);
    EXPECT_EQ(now.sum_ns, (2 * latency_bounds.front()) + 1 + latency_bounds.back() + 1);
}

TEST(latency_counts, the_bounds_rise) {
    EXPECT_TRUE(std::ranges::is_sorted(latency_bounds));
}

TEST(latency_counts, threads_lose_nothing) {
    spread<shared_latency, 2> copies;
    constexpr std::uint64_t times = 10'000;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&copies] {
                for (std::uint64_t n = 0; n < times; ++n) copies.mine().add(n);
            });
        }
    }
    latency_snapshot all;
    copies.each([&all](const shared_latency& each) { all += each.read(); });
    EXPECT_EQ(std::accumulate(all.counts.begin(), all.counts.end(), std::uint64_t{0}), 4 * times);
    EXPECT_EQ(all.sum_ns, 4 * (times * (times - 1) / 2));
}

}  // namespace
}  // namespace sluice
