// Who is ahead, who is no different from that, and how sure three rounds can be of it.
#include "sluice/lab/report/ranking.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sample_run.hpp"

namespace sluice::lab {
namespace {

TEST(ranking, a_noisy_best_one_hides_none_that_is_far_behind) {
    auto noisy = moved_by("noisy", 4, 1);
    auto& samples = noisy.quantities[0].samples;
    samples[0] = samples[1] = samples[2] = 0.3;
    const auto from = case_of("copy", "warm",
                              {noisy, moved_by("steady", 3.9, 1, 1), moved_by("slow", 1.2, 1, 2)});
    const auto found = rank(from, baseline::first);
    EXPECT_EQ(found.best, 0U);
    EXPECT_TRUE(found.rows[0].leads);
    EXPECT_TRUE(found.rows[1].leads);
    EXPECT_EQ(found.rows[2].to_best.outcome, comparison_outcome::unknown);
    EXPECT_FALSE(found.rows[2].leads);
    EXPECT_EQ(found.rows[0].where, place::unsure) << "nobody can tell it from the steady one";
    EXPECT_EQ(found.rows[1].where, place::unsure);
    EXPECT_EQ(found.rows[2].where, place::behind);
    EXPECT_FALSE(found.is_sure());
}

TEST(ranking, finds_base_best_and_those_that_share_the_lead) {
    const auto run = sample_run();
    const auto found = rank(run.cases[0], baseline::first);
    ASSERT_EQ(found.rows.size(), 4U);
    EXPECT_EQ(found.base, 0U);
    EXPECT_TRUE(found.best == 1U || found.best == 2U);
    EXPECT_EQ(found.leaders(), 2U);
    EXPECT_TRUE(found.rows[1].leads && found.rows[2].leads);
    EXPECT_EQ(found.rows[1].where, place::best);
    EXPECT_EQ(found.rows[2].where, place::best);
    EXPECT_EQ(found.rows[0].where, place::behind);
    EXPECT_EQ(found.rows[3].to_base.outcome, comparison_outcome::better);
    EXPECT_EQ(found.rows[3].to_best.outcome, comparison_outcome::worse);
    EXPECT_EQ(rank(run.cases[0], baseline::best).base, found.best);
    EXPECT_EQ(found.side_by_side(), 3U);
    EXPECT_EQ(other_quantities(found), std::vector<std::string>{"server CPU"});
}

TEST(ranking, less_is_ahead_where_less_is_better) {
    auto one = sample_run().cases[0];
    for (auto& each : one.figures) std::swap(each.quantities[0], each.quantities[1]);
    const auto found = rank(one, baseline::first);
    EXPECT_EQ(found.best, 1U);
    EXPECT_EQ(found.rows[0].to_best.outcome, comparison_outcome::worse);
}

TEST(ranking, none_is_ahead_where_neither_is_better) {
    auto one = sample_run().cases[0];
    for (auto& each : one.figures) each.quantities[0].which = better::neither;
    const auto found = rank(one, baseline::best);
    EXPECT_FALSE(found.best.has_value());
    EXPECT_EQ(found.base, 0U);
    EXPECT_EQ(found.leaders(), 0U);
}

TEST(ranking, what_has_no_sample_stands_nowhere) {
    auto one = sample_run().cases[0];
    one.figures[0].quantities.clear();
    one.figures[1].quantities[0].samples.clear();
    one.figures[2].quantities[0].unit = "other";
    const auto found = rank(one, baseline::first);
    EXPECT_EQ(found.base, 3U);
    EXPECT_EQ(found.rows[0].value.count, 0U);
    EXPECT_EQ(found.rows[1].value.count, 0U);
    EXPECT_EQ(found.rows[3].value.count, 7U);
    EXPECT_EQ(found.rows[2].value.count, 0U) << "its unit is not that of the others";
    EXPECT_FALSE(found.compare_rows(0, 3, "rate").has_value());
    EXPECT_FALSE(found.find("read-send").has_value());
}

TEST(ranking, three_rounds_of_many_variants_tell_a_third_more) {
    auto one = case_of("p", "c", {});
    for (std::size_t i = 0; i < 7; ++i) {
        auto row = moved_by("v" + std::to_string(i), i == 3 ? 133 : 100, 1);
        // Each with a noise of some per cent of its own.
        const auto turn = static_cast<double>(i);
        for (std::size_t k = 0; k < 3; ++k) {
            const auto place = static_cast<double>((i * 5 + k * 3) % 7) - 3;
            row.quantities[0].samples[k] = (i == 3 ? 133 : 100) + place + turn / 10;
        }
        row.quantities[0].samples.resize(3);
        one.figures.push_back(std::move(row));
    }
    const auto found = rank(one, baseline::first);
    EXPECT_EQ(found.leaders(), 1U);
    EXPECT_TRUE(found.rows[3].leads);
    EXPECT_EQ(found.rows[3].to_base.outcome, comparison_outcome::better);
    EXPECT_EQ(std::ranges::count_if(found.rows,
                                    [](const standing& s) {
                                        return s.to_base.outcome == comparison_outcome::better ||
                                               s.to_base.outcome == comparison_outcome::worse;
                                    }),
              1);
}

TEST(ranking, a_p99_is_that_of_all_rounds_together) {
    auto one = case_of("echo", "fixed rate", {moved_by("calm", 1, 1), moved_by("wild", 1, 1)});
    for (auto& each : one.figures) {
        each.quantities[0] = {"p99", "s", better::lower, around(0.0003)};
        each.latencies = {{0.5, 0.0001}, {0.99, 0.0003, 0.00029, 0.00031}, {1, 0.01}};
    }
    one.figures[1].latencies[1] = {0.99, 0.0184, 0.0003, 0.02};
    const auto found = rank(one, baseline::first);
    EXPECT_TRUE(found.rows[1].pooled);
    EXPECT_DOUBLE_EQ(found.rows[1].value.median, 0.0184);
    EXPECT_DOUBLE_EQ(found.rows[1].value.low, 0.0003);
    EXPECT_NEAR(found.rows[1].to_base.ratio, 0.0184 / 0.0003, 1e-6) << "of the two that are shown";
    EXPECT_EQ(found.rows[1].to_base.outcome, comparison_outcome::unknown);
    EXPECT_EQ(found.rows[0].where, place::unsure);
    // A report of an earlier version knows no interval.
    for (auto& each : one.figures) each.latencies[1].low = each.latencies[1].high = 0;
    EXPECT_NEAR(rank(one, baseline::first).rows[1].value.median, 0.0003, 1e-5);
}

}  // namespace
}  // namespace sluice::lab
