// Medians and their intervals, ties called ties, and differences found.
#include "sluice/lab/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

namespace sluice::lab {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

/// Noise that is the same on every machine.
class noise {
 public:
    explicit noise(std::uint64_t seed) : state_{seed} {}

    /// Of a normal distribution with the standard deviation 1 (Box and Muller).
    double next() {
        const auto radius = std::sqrt(-2 * std::log(1 - uniform()));
        return radius * std::cos(2 * std::numbers::pi * uniform());
    }

    std::vector<double> series(std::size_t count, double median, double deviation) {
        std::vector<double> made;
        for (std::size_t i = 0; i < count; ++i) {
            made.push_back(median * std::exp(deviation * next()));
        }
        return made;
    }

 private:
    double uniform() {
        state_ = state_ * 6364136223846793005U + 1442695040888963407U;
        return static_cast<double>(state_ >> 11U) * 0x1p-53;
    }

    std::uint64_t state_;
};

TEST(student, quantiles_are_those_of_the_tables) {
    EXPECT_NEAR(student_quantile(0.025, 1), 12.7062, 1e-4);
    EXPECT_NEAR(student_quantile(0.025, 6), 2.446912, 1e-6);
    EXPECT_NEAR(student_quantile(0.005, 10), 3.169273, 1e-6);
    EXPECT_NEAR(student_quantile(0.025, 1e6), 1.959966, 1e-5);
    EXPECT_NEAR(student_quantile(0.025, 2.5), 3.574655, 1e-6);
}

TEST(median, of_odd_and_even_numbers_in_any_order) {
    EXPECT_EQ(median_of(std::array{3.0, 1.0, 2.0}).median, 2);
    EXPECT_EQ(median_of(std::array{4.0, 1.0, 3.0, 2.0}).median, 2.5);
    EXPECT_EQ(median_of(std::array{-1.0}).median, -1);
}

TEST(median, of_little_says_how_little) {
    const auto none = median_of({});
    EXPECT_EQ(none.count, 0U);
    EXPECT_EQ(none.median, 0);
    const auto one = median_of(std::array{7.0});
    EXPECT_EQ(one.count, 1U);
    EXPECT_EQ(one.low, 7);
    EXPECT_EQ(one.high, 7);
    const auto two = median_of(std::array{7.0, 9.0});
    EXPECT_EQ(two.low, 7);
    EXPECT_EQ(two.high, 9);
}

TEST(median, leaves_out_what_is_no_number) {
    const auto found = median_of(std::array{nan, 1.0, infinite, 2.0, 3.0, -infinite});
    EXPECT_EQ(found.count, 3U);
    EXPECT_EQ(found.median, 2);
    EXPECT_TRUE(std::isfinite(found.low) && std::isfinite(found.high));
    EXPECT_EQ(median_of(std::array{nan, nan}).count, 0U);
}

TEST(median, interval_is_the_same_each_time) {
    const auto samples = noise{1}.series(9, 5, 0.1);
    const auto once = median_of(samples);
    const auto again = median_of(samples);
    EXPECT_EQ(once.low, again.low);
    EXPECT_EQ(once.high, again.high);
    EXPECT_LT(once.low, once.median);
    EXPECT_GT(once.high, once.median);
    EXPECT_NEAR(once.spread(), (once.high - once.low) / 2 / once.median, 1e-12);
}

TEST(median, interval_holds_the_truth_as_often_as_it_says) {
    noise made{2};
    for (const std::size_t rounds : {5U, 7U, 15U}) {
        int held = 0;
        constexpr int trials = 200;
        for (int i = 0; i < trials; ++i) {
            const auto found = median_of(made.series(rounds, 10, 0.05));
            if (found.low <= 10 && found.high >= 10) ++held;
        }
        EXPECT_GE(held, trials * 90 / 100) << rounds << " rounds";
    }
}

bool differs(const comparison& found) {
    return found.outcome == comparison_outcome::better ||
           found.outcome == comparison_outcome::worse;
}

TEST(compare, a_series_with_itself_is_no_different_in_19_of_20) {
    noise made{3};
    for (const std::size_t rounds : {3U, 5U, 7U, 11U}) {
        for (const bool paired : {true, false}) {
            int ties = 0;
            constexpr int trials = 200;
            for (int i = 0; i < trials; ++i) {
                const auto one = made.series(rounds, 3e9, 0.03);
                const auto other = made.series(rounds, 3e9, 0.03);
                const auto found = compare(one, other, better::higher, {.may_pair = paired});
                EXPECT_EQ(found.paired, paired);
                if (!differs(found)) ++ties;
            }
            EXPECT_GE(ties, trials * 19 / 20) << rounds << " rounds, paired " << paired;
        }
    }
}

TEST(compare, many_side_by_side_are_all_no_different_in_19_of_20) {
    noise made{4};
    constexpr std::size_t others = 7;
    constexpr int trials = 100;
    int without_difference = 0;
    for (int i = 0; i < trials; ++i) {
        const auto base = made.series(7, 1, 0.03);
        bool found = false;
        for (std::size_t k = 0; k < others; ++k) {
            const auto one = made.series(7, 1, 0.03);
            found = found || differs(compare(one, base, better::higher, {.side_by_side = others}));
        }
        if (!found) ++without_difference;
    }
    EXPECT_GE(without_difference, trials * 19 / 20);
}

TEST(compare, a_few_rounds_learn_their_noise_from_what_ran_beside_them) {
    const std::array one{1.30, 1.33, 1.28};
    const std::array other{1.00, 0.97, 1.03};
    const comparison_rules alone{.side_by_side = 6};
    auto helped = alone;
    helped.usual_error = 0.02;
    const auto found = compare(one, other, better::higher, helped);
    EXPECT_EQ(compare(one, other, better::higher, alone).outcome, comparison_outcome::unknown);
    EXPECT_EQ(found.outcome, comparison_outcome::better);
    EXPECT_GT(found.error, 0);
    // Three rounds that agree by chance are not believed where all others are far apart.
    const std::array calm{1.1, 1.1001, 1.1002};
    const std::array base{1.0, 1.0, 1.0};
    EXPECT_EQ(compare(calm, base, better::higher).outcome, comparison_outcome::better);
    EXPECT_EQ(compare(calm, base, better::higher, {.usual_error = 0.1}).outcome,
              comparison_outcome::unknown);
}

TEST(compare, a_tenth_more_is_found_through_noise_of_three_per_cent) {
    noise made{5};
    int found = 0;
    constexpr int trials = 200;
    for (int i = 0; i < trials; ++i) {
        const auto base = made.series(7, 100, 0.03);
        const auto more = compare(made.series(7, 110, 0.03), base, better::higher);
        EXPECT_NEAR(more.ratio, 1.1, 0.12);
        if (more.outcome == comparison_outcome::better) ++found;
    }
    EXPECT_GE(found, trials * 9 / 10);
}

TEST(compare, rounds_of_one_time_share_their_noise) {
    noise made{6};
    auto base = made.series(7, 100, 0.5);
    std::vector<double> one;
    for (const auto each : base) one.push_back(each * 1.05 * std::exp(0.005 * made.next()));
    const auto paired = compare(one, base, better::higher);
    EXPECT_TRUE(paired.paired);
    EXPECT_EQ(paired.outcome, comparison_outcome::better);
    EXPECT_NEAR(paired.ratio, 1.05, 0.01);
    EXPECT_EQ(compare(one, base, better::higher, {.may_pair = false}).outcome,
              comparison_outcome::unknown);
    base.push_back(100);
    EXPECT_FALSE(compare(one, base, better::higher).paired);
}

TEST(compare, better_is_what_the_quantity_says) {
    const std::array small{1.0, 1.01, 0.99};
    const std::array large{2.0, 2.01, 1.99};
    EXPECT_EQ(compare(large, small, better::higher).outcome, comparison_outcome::better);
    EXPECT_EQ(compare(small, large, better::higher).outcome, comparison_outcome::worse);
    EXPECT_EQ(compare(large, small, better::lower).outcome, comparison_outcome::worse);
    EXPECT_EQ(compare(small, large, better::lower).outcome, comparison_outcome::better);
    const auto found = compare(large, small, better::higher);
    EXPECT_LT(found.low, found.ratio);
    EXPECT_GT(found.high, found.ratio);
}

TEST(compare, what_is_too_small_to_matter_is_a_tie) {
    const std::array one{100.5, 100.5, 100.5, 100.5};
    const std::array other{100.0, 100.0, 100.0, 100.0};
    EXPECT_EQ(compare(one, other, better::higher).outcome, comparison_outcome::tie);
    EXPECT_EQ(compare(one, other, better::higher, {.least = 0.001}).outcome,
              comparison_outcome::better);
    EXPECT_EQ(compare(other, one, better::higher).outcome, comparison_outcome::tie);
}

TEST(compare, says_no_difference_only_where_the_interval_holds_none) {
    const std::array base{100.0, 100.0, 100.0, 100.0, 100.0};
    const std::array near{99.0, 101.0, 100.0, 100.5, 99.5};
    const auto level = compare(near, base, better::higher);
    EXPECT_EQ(level.outcome, comparison_outcome::tie);
    EXPECT_LT(level.within(), 0.05);
    EXPECT_GT(level.within(), 0.005);
    // 0.29 to 3.45 is no knowledge, whatever lies in the middle of it.
    const std::array wild{30.0, 350.0, 100.0, 40.0, 250.0};
    const auto vague = compare(wild, base, better::higher);
    EXPECT_LT(vague.low, 1);
    EXPECT_GT(vague.high, 1);
    EXPECT_EQ(vague.outcome, comparison_outcome::unknown);
    EXPECT_TRUE(vague.has_interval);
    EXPECT_EQ(compare(near, base, better::higher, {.same = 0.001}).outcome,
              comparison_outcome::unknown);
}

TEST(pooled_quantile, is_of_all_rounds_together_and_knows_how_they_differ) {
    // Nine calm rounds, and one in which a tenth is slow: of all, 1 % is.
    std::vector<histogram> rounds(10);
    for (std::size_t i = 0; i < rounds.size(); ++i) {
        rounds[i].add(1000, i == 4 ? 890 : 1000);
        if (i == 4) rounds[i].add(1'000'000, 110);
    }
    histogram all;
    for (const auto& each : rounds) all.add(each);
    const auto found = pooled_quantile(rounds, 0.99);
    EXPECT_DOUBLE_EQ(found.median, static_cast<double>(all.at(0.99)) * 1e-9);
    EXPECT_NEAR(found.median, 1e-3, 1e-5);
    EXPECT_NEAR(found.low, 1e-6, 1e-8) << "without that round there is nothing slow";
    EXPECT_NEAR(found.high, 1e-3, 1e-5);
    EXPECT_EQ(found.count, 10U);
    EXPECT_EQ(pooled_quantile({}, 0.99).count, 0U);
    const auto few = pooled_quantile(std::span{rounds}.first(2), 0.5);
    EXPECT_DOUBLE_EQ(few.low, few.high);
    EXPECT_DOUBLE_EQ(few.median, static_cast<double>(rounds[0].at(0.5)) * 1e-9);
}

TEST(quantiles, only_percentiles_that_the_values_can_tell_are_reported) {
    histogram counted;
    EXPECT_TRUE(quantiles_of(counted).empty());
    for (std::uint64_t i = 1; i <= 150; ++i) counted.add(i * 1000);
    const auto found = quantiles_of(counted);
    ASSERT_EQ(found.size(), 6U);  // 50, 75, 90, 95, 99 and the largest
    EXPECT_EQ(found[4].share, 0.99);
    EXPECT_EQ(found.back().share, 1);
    EXPECT_DOUBLE_EQ(found.back().seconds, 150e-6);
    EXPECT_TRUE(std::ranges::is_sorted(found, {}, &quantile::seconds));
}

TEST(compare, estimates_by_the_width_of_their_intervals) {
    const estimate fast{.median = 1, .low = 0.95, .high = 1.05, .count = 9};
    const estimate slow{.median = 2, .low = 1.9, .high = 2.1, .count = 9};
    const estimate vague{.median = 2, .low = 0.2, .high = 20, .count = 9};
    const auto found = compare(slow, fast, better::lower);
    EXPECT_EQ(found.outcome, comparison_outcome::worse);
    EXPECT_DOUBLE_EQ(found.ratio, 2);
    EXPECT_TRUE(found.has_interval);
    EXPECT_EQ(compare(vague, fast, better::lower).outcome, comparison_outcome::unknown);
    EXPECT_EQ(compare(fast, fast, better::lower).outcome, comparison_outcome::tie);
    EXPECT_FALSE(compare(fast, estimate{}, better::lower).has_interval);
}

TEST(compare, too_little_is_no_verdict) {
    const std::array two{1.0, 1.0};
    const std::array others{2.0, 2.1};
    EXPECT_EQ(compare(two, others, better::higher).outcome, comparison_outcome::unknown);
    EXPECT_EQ(compare({}, others, better::higher).outcome, comparison_outcome::unknown);
    const std::span<const double> none;
    EXPECT_EQ(compare(none, none, better::higher).outcome, comparison_outcome::unknown);
    EXPECT_NEAR(compare(others, two, better::higher).ratio, 2.05, 1e-9);
}

TEST(compare, what_cannot_be_divided_never_gives_nan) {
    const std::array zero{0.0, 0.0, 0.0};
    const std::array some{5.0, 5.0, 5.0};
    const std::array odd{nan, infinite, -1.0};
    const std::array extreme{1e-308, 1e-308, 1e-308};
    const std::array vast{1e308, 1e308, 1e308};
    EXPECT_EQ(compare(zero, zero, better::lower).outcome, comparison_outcome::tie);
    const std::array<std::span<const double>, 5> all{zero, some, odd, extreme, vast};
    for (const auto one : all) {
        for (const auto other : all) {
            for (const bool paired : {true, false}) {
                const auto found = compare(one, other, better::lower, {.may_pair = paired});
                EXPECT_TRUE(std::isfinite(found.ratio) && std::isfinite(found.low) &&
                            std::isfinite(found.high));
            }
        }
    }
    EXPECT_EQ(compare(zero, some, better::lower).outcome, comparison_outcome::unknown);
}

}  // namespace
}  // namespace sluice::lab
