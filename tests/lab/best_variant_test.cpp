// The best variant is the fastest over all cases, and of those level the one that costs least.
#include "sluice/lab/best_variant.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using sluice::lab::best_variant_of;
using sluice::lab::better;
using sluice::lab::figure;
using sluice::lab::results;
using sluice::lab::test_case;

std::vector<double> around(double value) {
    return {value * 0.99, value, value * 1.01, value * 0.995, value * 1.005};
}

figure row(const std::string& variant, double rate, double cpu) {
    figure f;
    f.variant = variant;
    f.quantities = {
        {.name = "rate", .unit = "B/s", .which = better::higher, .samples = around(rate)},
        {.name = "server CPU", .unit = "s/GiB", .which = better::lower, .samples = around(cpu)}};
    return f;
}

test_case in(const std::string& plan, std::vector<figure> figures) {
    test_case c;
    c.plan = plan;
    c.figures = std::move(figures);
    return c;
}

TEST(best_variant, the_fastest_wins) {
    results r;
    r.cases = {in("download", {row("a", 1e9, 1), row("b", 2e9, 2), row("c", 1.5e9, 1)})};
    EXPECT_EQ(best_variant_of(r, "download"), "b");
    EXPECT_FALSE(best_variant_of(r, "upload"));
}

TEST(best_variant, every_case_counts_as_much) {
    results r;
    r.cases = {in("download", {row("a", 4e9, 1), row("b", 2e9, 1)}),
               in("download", {row("a", 1e8, 1), row("b", 4e8, 1)}),
               in("upload", {row("a", 9e9, 1), row("b", 1, 1)})};
    EXPECT_EQ(best_variant_of(r, "download"), "b");
}

TEST(best_variant, of_those_that_are_level_the_one_that_costs_less_wins) {
    results r;
    r.cases = {in("download", {row("a", 2.01e9, 2), row("b", 2e9, 1), row("c", 1e9, 0.1)})};
    EXPECT_EQ(best_variant_of(r, "download"), "b");
}

TEST(best_variant, who_is_missing_in_a_case_cannot_win) {
    results r;
    r.cases = {in("download", {row("a", 9e9, 1), row("b", 2e9, 1)}),
               in("download", {row("b", 2e9, 1)})};
    EXPECT_EQ(best_variant_of(r, "download"), "b");
}

}  // namespace
