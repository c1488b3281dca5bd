// JSON round-trips, and input that is no report is refused.
#include "sluice/lab/report/json.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "sample_run.hpp"

namespace sluice::lab {
namespace {

TEST(json, comes_back_as_it_went) {
    const auto run = sample_run();
    const auto back = read_json(as_json(run));
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(*back, run);
}

TEST(json, of_a_report_that_does_not_count_its_rounds_is_read) {
    auto run = sample_run();
    auto text = as_json(run);
    for (std::size_t at = 0; (at = text.find("\"rounds\"", at)) != std::string::npos; ++at) {
        text.replace(at, 8, "\"unknown\"");
    }
    const auto back = read_json(text);
    ASSERT_TRUE(back.has_value()) << back.error();
    for (auto& each : run.cases) each.rounds = {};
    EXPECT_EQ(*back, run);
}

TEST(json, of_nothing_comes_back) {
    const auto back = read_json(as_json({}));
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(*back, results{});
}

TEST(json, numbers_come_back_bit_by_bit) {
    auto run = sample_run();
    run.cases[0].figures[0].quantities[0].samples = {0.1 + 0.2, 1e-308, 5e-324, 1.7e308, -0.0, 3};
    const auto back = read_json(as_json(run));
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(*back, run);
}

TEST(json, of_hostile_text_comes_back_as_text) {
    const auto written = as_json(hostile_run());
    const auto back = read_json(written);
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(as_json(*back), written);
    EXPECT_NE(back->command.find("\x1b[31m\n=cmd(),\uFFFD"), std::string::npos);
    EXPECT_EQ(written.find('\x1b'), std::string::npos);
}

TEST(json, what_is_no_number_is_null) {
    const auto written = as_json(odd_run());
    EXPECT_EQ(written.find("nan"), std::string::npos);
    EXPECT_EQ(written.find("inf"), std::string::npos);
    const auto back = read_json(written);
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(as_json(*back), written);
    EXPECT_TRUE(std::isnan(back->cases[2].figures[0].quantities[0].samples[0]));
}

/// A report with one thing changed in its text.
std::string with(const std::string& from, const std::string& to) {
    auto text = as_json(sample_run());
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

TEST(json, says_what_is_wrong_and_where) {
    const std::pair<std::string, std::string> mistakes[] = {
        {"", "it is not JSON"},
        {"{", "it is not JSON"},
        {"null", "not a report of the lab"},
        {"[]", "not a report of the lab"},
        {R"({"format":"other"})", "not a report of the lab"},
        {R"({"format":"sluice lab"})", "version is missing"},
        {R"({"format":"sluice lab","version":"1"})",
         "version: a whole number from 0 is expected, not a string"},
        {R"({"format":"sluice lab","version":2})", "its version is 2"},
        {R"({"format":"sluice lab","version":1})", "command is missing"},
        {with(R"("x": null)", R"("x": "1")"), "cases[0].x: a number is expected, not a string"},
        {with(R"("better": "higher")", R"("better": "faster")"),
         R"(quantities[0].better: "higher", "lower" or "neither" is expected)"},
        {with(R"("errors": 0)", R"("errors": -1)"), "errors: a whole number from 0"},
        {with(R"("interrupted": false)", R"("interrupted": 0)"), "interrupted: true or false"},
        {with(R"("warnings": [)", R"("warnings": [ {},)"),
         "warnings[0]: a string is expected, not an object"},
    };
    for (const auto& [text, what] : mistakes) {
        const auto found = read_json(text);
        ASSERT_FALSE(found.has_value()) << what;
        EXPECT_NE(found.error().find(what), std::string::npos) << found.error();
    }
}

TEST(json, passes_over_what_it_does_not_know) {
    const auto back = read_json(with(R"("seconds")", R"("weather": {"rain": [1]}, "seconds")"));
    ASSERT_TRUE(back.has_value()) << back.error();
    EXPECT_EQ(*back, sample_run());
}

TEST(json, nested_beyond_sense_is_survived) {
    EXPECT_FALSE(read_json(std::string(200'000, '[')).has_value());
}

}  // namespace
}  // namespace sluice::lab
