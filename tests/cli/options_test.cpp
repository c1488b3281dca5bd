// Values of options: what is taken, and what is said of the rest.
#include "sluice/cli/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(options, reads_durations) {
    EXPECT_EQ(read_duration("5"), 5s);
    EXPECT_EQ(read_duration("5s"), 5s);
    EXPECT_EQ(read_duration("500ms"), 500ms);
    EXPECT_EQ(read_duration("2m"), 2min);
    EXPECT_EQ(read_duration("1h"), 1h);
    EXPECT_EQ(read_duration("0"), 0s);
    EXPECT_EQ(read_duration("8784h"), 8784h);
    EXPECT_EQ(read_duration("366d"), 8784h);
}

TEST(options, refuses_other_durations) {
    for (const std::string_view text : {"", "s", "-1", "+1", "1.5", "5 s", " 5", "5S", "5sec",
                                        "1e3", "99999999999999999999999"}) {
        const auto read = read_duration(text);
        ASSERT_FALSE(read) << text;
        EXPECT_THAT(read.error(), HasSubstr("write 5s, 500ms")) << text;
    }
    EXPECT_THAT(read_duration("8785h").error(), HasSubstr("more than a year"));
    EXPECT_THAT(read_duration("367d").error(), HasSubstr("more than a year"));
    EXPECT_THAT(read_duration("18446744073709551615").error(), HasSubstr("more than a year"));
    constexpr duration_up_to limit{.longest = 3s, .in_words = "three seconds"};
    EXPECT_EQ(limit("3000ms"), 3s);
    EXPECT_EQ(limit("4").error(), "'4' is more than three seconds");
}

TEST(options, reads_sizes) {
    EXPECT_EQ(read_size("64K"), 65536U);
    EXPECT_THAT(read_size("64KB").error(), HasSubstr("write 65536, 64K"));
}

TEST(options, writes_sizes_and_durations_as_they_are_read) {
    EXPECT_EQ(size_text(0), "0");
    EXPECT_EQ(size_text(1000), "1000");
    EXPECT_EQ(size_text(65536), "64K");
    EXPECT_EQ(size_text(std::uint64_t{3} << 40), "3T");
    EXPECT_EQ(size_text(std::uint64_t{1} << 50), "1024T");
    EXPECT_EQ(duration_text(0s), "0s");
    EXPECT_EQ(duration_text(1500ms), "1500ms");
    EXPECT_EQ(duration_text(60s), "60s");
    EXPECT_EQ(duration_text(90s), "90s");
    EXPECT_EQ(duration_text(5min), "5m");
    EXPECT_EQ(duration_text(24h), "24h");
    EXPECT_EQ(duration_text(168h), "7d");
}

TEST(options, reads_counts_within_limits) {
    constexpr count_from some{1, 1024};
    EXPECT_EQ(some("1"), 1U);
    EXPECT_EQ(some("1024"), 1024U);
    for (const std::string_view text :
         {"", "0", "1025", "-1", "1 ", "1x", "99999999999999999999"}) {
        const auto read = some(text);
        ASSERT_FALSE(read) << text;
        EXPECT_THAT(read.error(), HasSubstr("whole number from 1 to 1024")) << text;
    }
    constexpr count_from any{1, std::numeric_limits<std::uint64_t>::max()};
    EXPECT_THAT(any("0").error(), HasSubstr("from 1 up"));
}

TEST(options, reads_addresses_and_keeps_names) {
    EXPECT_EQ(read_address("localhost:5000"), "localhost:5000");
    EXPECT_EQ(read_address("5000"), "5000");
    EXPECT_THAT(read_address("localhost").error(), HasSubstr("no port"));
}

struct given {
    std::uint32_t number = 7;
};

std::string error_of(CLI::App& app, const std::string& line) {
    try {
        app.parse(line);
    } catch (const CLI::ParseError& mistake) {
        return mistake.what();
    }
    return "";
}

TEST(options, a_value_left_out_keeps_its_default) {
    given into;
    CLI::App app;
    add_value(app, "--number", into.number, count_from{1, 9}, "N", "A number");
    EXPECT_EQ(error_of(app, ""), "");
    EXPECT_EQ(into.number, 7U);
}

TEST(options, the_last_of_several_wins) {
    given into;
    CLI::App app;
    add_value(app, "--number", into.number, count_from{1, 9}, "N", "A number");
    EXPECT_EQ(error_of(app, "--number 1 --number=2"), "");
    EXPECT_EQ(into.number, 2U);
}

TEST(options, an_error_names_the_option) {
    given into;
    CLI::App app;
    add_value(app, "--number", into.number, count_from{1, 9}, "N", "A number");
    EXPECT_EQ(error_of(app, "--number x"), "--number: 'x' is no whole number from 1 to 9");
    EXPECT_EQ(into.number, 7U);
}

TEST(options, a_default_is_written_as_it_may_be_given) {
    using namespace std::string_view_literals;
    constexpr one_of side{std::array{std::pair{"left"sv, 1}, std::pair{"right"sv, 2}}};
    EXPECT_EQ(default_text(2, side), "right");
    EXPECT_EQ(default_text(std::optional<int>{1}, side), "left");
    EXPECT_EQ(default_text(std::optional<int>{}, side), "");
    EXPECT_EQ(default_text(7U, count_from{1, 9}), "7");
    EXPECT_EQ(default_text(0U, count_from{1, 9}), "") << "none that may be given";
    EXPECT_EQ(default_text(0.02, percent_from{0, 100, ""}), "2%");
    EXPECT_EQ(default_text(std::string{"[::1]:80"}, read_address), "[::1]:80");
    for (const auto& [bytes, text] : {std::pair{std::uint64_t{0}, "0"},
                                      {1000, "1000"},
                                      {1024, "1K"},
                                      {1536, "1536"},
                                      {std::uint64_t{3} << 30, "3G"},
                                      {std::numeric_limits<std::uint64_t>::max(), ""}}) {
        EXPECT_EQ(default_text(bytes, read_size), text);
    }
    for (const auto& [time, text] : {std::pair{0ms, "0s"},
                                     {1ms, "1ms"},
                                     {1500ms, "1500ms"},
                                     {30'000ms, "30s"},
                                     {90'000ms, "90s"},
                                     {300'000ms, "5m"},
                                     {86'400'000ms, "24h"}}) {
        EXPECT_EQ(default_text(time, read_duration), text);
        EXPECT_EQ(read_duration(text), time);
    }
}

TEST(options, one_of_a_few_words) {
    using namespace std::string_view_literals;
    constexpr one_of side{std::array{std::pair{"left"sv, 1}, std::pair{"right"sv, 2}}};
    EXPECT_EQ(side("right"), 2);
    EXPECT_EQ(side("up").error(), "'up' is none of left and right");
    EXPECT_FALSE(side(""));
    EXPECT_FALSE(side("lef"));
}

}  // namespace
}  // namespace sluice::cli
