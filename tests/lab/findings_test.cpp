// The findings say what the samples say, and no more.
#include "sluice/lab/report/findings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sample_run.hpp"

namespace sluice::lab {
namespace {

using testing::Contains;
using testing::ContainsRegex;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> sentences_of(const results& run, baseline base = baseline::first) {
    std::vector<std::string> sentences;
    for (const auto& each : answers_of(run, base)) {
        sentences.push_back((each.place.empty() ? "" : each.place + ": ") + each.sentence);
    }
    return sentences;
}

results one_case(std::vector<figure> figures) {
    results run;
    run.cases.push_back(case_of("download", "warm", std::move(figures)));
    return run;
}

TEST(findings, say_who_is_ahead_by_how_much_and_at_what_cost) {
    const auto said = sentences_of(sample_run());
    EXPECT_THAT(said,
                Contains(ContainsRegex(
                    "^warm, 1 client: (splice|sendfile-cork) moved 2\\.[01][0-9] x as many bytes "
                    "a second as read-send \\(2\\..* to 2\\..*\\), at 0\\.4[0-9] x the server "
                    "CPU a GiB\\.$")));
    EXPECT_THAT(said,
                Contains(ContainsRegex("^warm, 1 client: No difference within [1-9] % between "
                                       "sendfile-cork and splice\\.$")));
    EXPECT_THAT(said, Contains(ContainsRegex("sendfile-cork moved 1\\.[56][0-9] x as many bytes a "
                                             "second as sendfile")));
}

TEST(findings, say_what_a_warm_cache_is_worth) {
    EXPECT_THAT(sentences_of(sample_run()),
                Contains(ContainsRegex("^A warm copy was 8\\.00 x as fast as a "
                                       "cold one \\(splice; .* to .*\\)\\.$")));
}

TEST(findings, say_who_wins_where_on_an_axis) {
    EXPECT_THAT(sentences_of(sample_run()),
                Contains("fib: Ahead, by clients: sync at 1; event at 4 to 64."));
    EXPECT_THAT(sentences_of(sample_run()),
                Contains(ContainsRegex("^fib: At 64 clients, event had 2\\.00 x as many answers a "
                                       "second as sync")));
}

TEST(findings, of_two_points_are_about_both) {
    auto one = sample_run().cases[0];
    one.line = "1 GiB";
    one.axis = "clients";
    one.x = 1;
    auto eight = one;
    eight.name = "8 clients";
    eight.x = 8;
    results run;
    run.cases = {eight, one};
    const auto said = sentences_of(run);
    EXPECT_EQ(said[0], "1 GiB: Ahead, by clients: sendfile-cork and splice at 1 to 8.");
    EXPECT_THAT(said, Contains(ContainsRegex("^1 GiB: At 1 client, sendfile-cork moved 1\\.[56]")));
    EXPECT_THAT(said,
                Contains(ContainsRegex("^1 GiB: At 8 clients, sendfile-cork moved 1\\.[56]")));
}

TEST(findings, of_a_line_without_a_best_variant_say_so) {
    auto run = sample_run();
    for (auto& each : run.cases) {
        if (each.x) each.figures[1].quantities = each.figures[0].quantities;
    }
    EXPECT_THAT(sentences_of(run),
                Contains("fib: Nothing was ahead, by clients: no difference at 1 to 64."));
}

TEST(findings, of_a_line_of_single_rounds_name_no_best_variant) {
    auto run = sample_run();
    for (auto& one : run.cases) {
        for (auto& each : one.figures) each.quantities[0].samples.resize(1);
    }
    EXPECT_THAT(sentences_of(run),
                Contains("fib: Nothing was ahead, by clients: cannot tell at 1 to 64."));
    EXPECT_THAT(sentences_of(run), Not(Contains(HasSubstr("event"))));
}

TEST(findings, name_places_as_people_do) {
    auto point = sample_run().cases[0];
    const auto lead_at = [&point](const std::string& axis, double x) {
        auto other = point;
        point.axis = other.axis = axis;
        point.x = x;
        other.x = x + 1;
        results run;
        run.cases = {point, other};
        const auto sentence = answers_of(run, baseline::first)[1].sentence;
        return sentence.substr(0, sentence.find(','));
    };
    EXPECT_EQ(lead_at("clients", 1), "At 1 client");
    EXPECT_EQ(lead_at("bytes a message", 16384), "At 16 KiB a message");
    EXPECT_EQ(lead_at("n of fib(n)", 30), "At n of fib(n) = 30");
}

TEST(findings, say_within_how_much_there_is_no_difference) {
    EXPECT_THAT(
        sentences_of(one_case({moved_by("a", 100, 1), moved_by("b", 100.4, 1, 2)})),
        ElementsAre(ContainsRegex("^warm: No difference within [1-9] % between a and b\\.$")));
}

TEST(findings, say_that_it_is_unknown_where_that_is_so) {
    auto wild = moved_by("b", 100, 1);
    wild.quantities[0].samples = {30, 350, 100, 40, 250, 60, 300};
    EXPECT_THAT(sentences_of(one_case({moved_by("a", 100, 1), wild})),
                ElementsAre(ContainsRegex("^warm: Cannot tell which of a and b is ahead: [ab] had "
                                          "0\\.[0-9]* to [0-9.]* x the rate of [ab]\\.$")));
}

TEST(findings, say_that_the_cpu_is_no_different) {
    EXPECT_THAT(sentences_of(one_case({moved_by("a", 100, 1), moved_by("b", 200, 1, 2)})),
                ElementsAre(ContainsRegex(", at the same server CPU within [1-9] %\\.$")));
}

TEST(findings, are_about_the_best_where_that_is_the_base) {
    EXPECT_THAT(sentences_of(one_case({moved_by("a", 200, 1), moved_by("b", 100, 1)})),
                ElementsAre("warm: Nothing was ahead of a."));
}

TEST(findings, less_time_is_ahead) {
    auto run = one_case({moved_by("slow", 0.4, 1), moved_by("fast", 0.1, 1, 1)});
    for (auto& each : run.cases[0].figures) {
        each.quantities[0] = {"p99", "s", better::lower, each.quantities[0].samples};
    }
    EXPECT_THAT(sentences_of(run), ElementsAre(ContainsRegex("fast had 0\\.25 x the p99 of slow")));
    for (auto& each : run.cases[0].figures) each.quantities[0].name = "time";
    EXPECT_THAT(sentences_of(run),
                ElementsAre(ContainsRegex("fast took 0\\.25 x the time of slow")));
    auto cold = run;
    cold.cases[0].name = "cold";
    for (auto& each : cold.cases[0].figures) each.quantities[0].samples = around(2);
    run.cases.push_back(cold.cases[0]);
    EXPECT_THAT(sentences_of(run), Contains(ContainsRegex("A warm download was 20\\.0 x as fast")));
}

TEST(findings, from_too_few_rounds_are_none) {
    auto run = one_case({moved_by("a", 100, 1), moved_by("b", 200, 1)});
    for (auto& each : run.cases[0].figures) each.quantities[0].samples.resize(2);
    EXPECT_THAT(sentences_of(run),
                ElementsAre("warm: Too few rounds to tell a difference from noise."));
}

TEST(findings, of_nothing_are_none) {
    EXPECT_THAT(sentences_of({}), IsEmpty());
    EXPECT_THAT(sentences_of(one_case({})), IsEmpty());
    EXPECT_THAT(sentences_of(one_case({moved_by("a", 100, 1)})),
                ElementsAre("warm: a: rate of 100 B/s."));
}

TEST(findings, have_no_nan) {
    for (const auto base : {baseline::first, baseline::best}) {
        EXPECT_THAT(sentences_of(odd_run(), base), Each(Not(ContainsRegex("nan|inf"))));
        EXPECT_THAT(sentences_of(sample_run(), base), Each(Not(ContainsRegex("nan|inf"))));
    }
}

}  // namespace
}  // namespace sluice::lab
