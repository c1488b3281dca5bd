// The histogram is never below the truth and at most 0.8 % above it, whatever the values.
#include "sluice/base/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace {

using sluice::histogram;

constexpr double bound = 1.0 / 128;

TEST(histogram, nothing_counted_is_nothing) {
    const histogram empty;
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty.at(0.5), 0U);
    EXPECT_EQ(empty.max(), 0U);
}

TEST(histogram, one_value_is_every_percentile) {
    for (const std::uint64_t value :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{256},
          std::uint64_t{1'000'003}, std::numeric_limits<std::uint64_t>::max()}) {
        histogram one;
        one.add(value);
        for (const double share : {0.0, 0.5, 1.0}) EXPECT_EQ(one.at(share), value) << value;
    }
}

TEST(histogram, a_percentile_is_the_smallest_that_so_many_did_not_exceed) {
    histogram all;
    for (std::uint64_t i = 1; i <= 50; ++i) all.add(i);
    EXPECT_EQ(all.at(0), 1U);
    EXPECT_EQ(all.at(0.5), 25U);
    EXPECT_EQ(all.at(0.9), 45U);
    EXPECT_EQ(all.at(0.99), 50U);
    EXPECT_EQ(all.at(1), 50U);
}

TEST(histogram, every_power_of_two_and_its_neighbours_stay_within_the_bound) {
    for (unsigned shift = 1; shift < 64; ++shift) {
        const std::uint64_t power = std::uint64_t{1} << shift;
        for (const std::uint64_t value : {power - 1, power, power + 1, power + power / 3}) {
            histogram two;
            two.add(value);
            two.add(std::numeric_limits<std::uint64_t>::max());
            const auto reported = two.at(0.5);
            EXPECT_GE(reported, value);
            EXPECT_LE(static_cast<double>(reported - value), bound * static_cast<double>(value));
        }
    }
}

TEST(histogram, percentiles_of_many_values_agree_with_the_sorted_list) {
    std::mt19937_64 chance{7};
    std::lognormal_distribution<double> shape{11, 2};
    std::vector<std::uint64_t> values(100'000);
    histogram counted;
    for (auto& each : values) {
        each = static_cast<std::uint64_t>(shape(chance));
        counted.add(each);
    }
    std::ranges::sort(values);
    EXPECT_EQ(counted.count(), values.size());
    EXPECT_EQ(counted.max(), values.back());
    for (const double share : {0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
        const auto rank =
            static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
        const auto exact = static_cast<double>(values[rank - 1]);
        const auto reported = static_cast<double>(counted.at(share));
        EXPECT_GE(reported, exact) << share;
        EXPECT_LE(reported, exact * (1 + bound)) << share;
    }
}

TEST(histogram, adding_another_is_adding_all_its_values) {
    histogram low;
    histogram high;
    histogram both;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        low.add(i);
        both.add(i);
        high.add(i * 1'000'000);
        both.add(i * 1'000'000);
    }
    low.add(high);
    EXPECT_EQ(low.count(), both.count());
    EXPECT_EQ(low.max(), both.max());
    for (const double share : {0.1, 0.5, 0.75, 0.99}) EXPECT_EQ(low.at(share), both.at(share));
}

TEST(histogram, cells_make_the_same_histogram_again) {
    std::mt19937_64 chance{3};
    histogram first;
    for (int i = 0; i < 5000; ++i) first.add(chance() % 10'000'000);
    histogram again;
    for (const auto& cell : first.cells()) again.add(cell.most, cell.count);
    EXPECT_EQ(again.count(), first.count());
    for (const double share : {0.0, 0.5, 0.9, 0.99}) EXPECT_EQ(again.at(share), first.at(share));
}

}  // namespace
