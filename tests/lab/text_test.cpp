// The tables fit the terminal, and hand it nothing that it would obey.
#include "sluice/lab/report/text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "sample_run.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

std::size_t width_of(std::string_view line) {
    return static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

TEST(text, says_which_rounds_were_disturbed) {
    EXPECT_THAT(as_text(sample_run(), {.columns = 300}),
                HasSubstr("Rounds that count: 7. Disturbed among them: 1. Disturbed, dropped and "
                          "repeated: 3."));
    auto undisturbed = sample_run();
    for (auto& each : undisturbed.cases) each.rounds = {.counted = 7};
    EXPECT_THAT(as_text(undisturbed, {.columns = 300}), Not(HasSubstr("Rounds that count")));
}

TEST(text, has_answers_tables_and_warnings_in_this_order) {
    const auto text = as_text(sample_run(), {.columns = 300});
    const auto answer = text.find(" between sendfile-cork and splice.");
    const auto table = text.find("download: warm, 1 client");
    const auto warning = text.find("Somebody else was using the machine.");
    EXPECT_TRUE(text.starts_with("download\n"));
    EXPECT_LT(answer, table);
    EXPECT_LT(table, warning);
    EXPECT_LT(warning, text.size());
    EXPECT_THAT(text, HasSubstr("Which is the fastest?"));
    EXPECT_THAT(text, HasSubstr("sendfile: It sends small segments."));
    EXPECT_THAT(text, HasSubstr("sendfile: 2.00 of its requests failed."));
    EXPECT_THAT(text, HasSubstr("kernel: release 6.18.5"));
}

TEST(text, has_the_answers_last_where_the_end_is_what_one_sees) {
    const auto text = as_text(sample_run(), {.columns = 300, .answers_last = true});
    EXPECT_LT(text.find("Somebody else was using the machine."),
              text.find(" between sendfile-cork and splice."));
}

TEST(text, has_one_p99_a_row) {
    auto run = sample_run();
    for (auto& each : run.cases[0].figures) {
        each.quantities[0] = {"p99", "s", better::lower, around(0.0003)};
        each.latencies = {{0.5, 0.0001}, {0.99, 0.0184, 0.0003, 0.02}, {1, 0.1}};
    }
    const auto lines = lines_of(as_text(run, {.columns = 200}));
    const auto head =
        std::ranges::find_if(lines, [](const std::string& line) { return line.contains("p99"); });
    ASSERT_NE(head, lines.end());
    EXPECT_EQ(head->find("p99"), head->rfind("p99")) << *head;
    EXPECT_THAT(as_text(run, {.columns = 200}), HasSubstr("18.4"));
}

TEST(text, a_row_has_its_bar_its_interval_and_its_ratio) {
    const auto lines = lines_of(as_text(sample_run()));
    const auto row_of = [&lines](std::string_view variant) {
        return *std::ranges::find_if(
            lines, [variant](const std::string& line) { return line.starts_with(variant); });
    };
    EXPECT_THAT(row_of("read-send  "), AllOf(ContainsRegex("  #+ +1\\.50  1\\.4.* to 1\\.5"),
                                             HasSubstr("base"), Not(HasSubstr("="))));
    EXPECT_THAT(row_of("sendfile-cork *  "),
                ContainsRegex("  #+  +3\\.15  3.* to 3.* 2\\.[01][0-9]  "));
    const auto count = [](const std::string& line) { return std::ranges::count(line, '#'); };
    EXPECT_NEAR(static_cast<double>(count(row_of("sendfile-cork "))),
                2.1 * static_cast<double>(count(row_of("read-send "))), 1.5);
}

TEST(text, marks_ties_with_the_base) {
    const auto text = as_text(sample_run(), {.base = baseline::best});
    EXPECT_THAT(text, ContainsRegex("(splice|sendfile-cork) \\* .* (1\\.00|0\\.99)="));
    EXPECT_THAT(text, Not(ContainsRegex("read-send [*?]")));
    auto wild = sample_run();
    wild.cases[0].figures[2].quantities[0].samples = {1e9, 9e9, 3e9, 2e9, 8e9, 4e9, 3e9};
    EXPECT_THAT(as_text(wild), AllOf(HasSubstr("splice ?"), HasSubstr("sendfile-cork ?")));
}

TEST(text, fits_the_terminal) {
    for (const std::size_t columns : {40U, 60U, 80U, 120U, 300U}) {
        for (const bool unicode : {false, true}) {
            const auto text = as_text(sample_run(), {.columns = columns, .unicode = unicode});
            for (const auto& line : lines_of(text)) {
                // The names and the three columns that are always there need so much.
                EXPECT_LE(width_of(line), std::max<std::size_t>(columns, 52)) << line;
                EXPECT_FALSE(line.ends_with(' ')) << line;
            }
        }
    }
}

TEST(text, is_ascii_without_colour_unless_more_is_wanted) {
    const auto plain = as_text(sample_run());
    EXPECT_TRUE(
        std::ranges::all_of(plain, [](char c) { return c == '\n' || (c >= ' ' && c < 127); }));
    const auto unicode = as_text(sample_run(), {.unicode = true});
    EXPECT_THAT(unicode, HasSubstr("█"));
    EXPECT_THAT(unicode, Not(HasSubstr("#")));
    EXPECT_THAT(unicode, Not(HasSubstr("\x1b")));
    EXPECT_THAT(as_text(sample_run(), {.colour = true}), HasSubstr("\x1b[1m"));
    EXPECT_THAT(as_text(sample_run(), {.bars = false}), Not(HasSubstr("#")));
}

TEST(text, shows_hostile_names_without_obeying) {
    for (const auto& line : lines_of(as_text(hostile_run(), {.unicode = true}))) {
        EXPECT_TRUE(wire::is_printable(line)) << line;
    }
}

TEST(text, of_nothing_says_so) {
    EXPECT_THAT(as_text({}), HasSubstr("Nothing was measured"));
    results cut = sample_run();
    cut.interrupted = true;
    EXPECT_TRUE(as_text(cut).starts_with("Interrupted: "));
}

TEST(text, has_no_nan) {
    const auto text = as_text(odd_run());
    EXPECT_THAT(text, Not(ContainsRegex("inf| nan |-nan")));
    EXPECT_THAT(text, HasSubstr("Not measured."));
}

}  // namespace
}  // namespace sluice::lab
