// What sluice top shows of two scrapes, in windows of any size.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include <nlohmann/json.hpp>

#include "sluice/cli/top/summary.hpp"
#include "sluice/cli/top/view.hpp"

namespace sluice::cli::top {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

metrics::scrape scrape_of(int requests, double cpu) {
    const auto count = std::to_string(requests);
    return *metrics::scrape::parse(
        "sluice_build_info{version=\"1.2\",engine=\"uring\",model=\"event\"} 1\nsluice_ready 1\n"
        "process_start_time_seconds 1000\nprocess_cpu_seconds_total " +
        std::to_string(cpu) +
        "\nprocess_resident_memory_bytes 3145728\nsluice_clients_limit 100\n"
        "sluice_http_requests_total{method=\"GET\",status=\"2xx\"} " +
        count + "\nsluice_http_requests_total{method=\"PUT\",status=\"2xx\"} " + count +
        "\nsluice_http_request_seconds_bucket{le=\"0.001\"} " + count +
        "\nsluice_http_request_seconds_bucket{le=\"+Inf\"} " + count +
        "\nsluice_http_fetched_bytes_total " + count +
        "000000\nsluice_clients_accepted_total{door=\"http\",shard=\"0\"} " + count +
        "\nsluice_clients_accepted_total{door=\"h\x1b[2J\",shard=\"1\"} 5\n"
        "sluice_clients_connected{door=\"http\",shard=\"0\"} 3\n"
        "sluice_loop_turns_total{shard=\"0\"} " +
        count + "\nsluice_loop_busy_seconds_sum{shard=\"0\"} " + std::to_string(cpu) + "\n");
}

summary shown() {
    return summarize(scrape_of(100, 1), scrape_of(300, 1.5), 2, 4661);
}

TEST(top_summary, rates_are_of_the_time_between_the_scrapes) {
    const auto s = shown();
    EXPECT_EQ(s.version, "1.2");
    EXPECT_TRUE(s.ready);
    EXPECT_DOUBLE_EQ(s.uptime, 3661);
    EXPECT_DOUBLE_EQ(s.cpu, 0.25);
    ASSERT_THAT(s.activities, SizeIs(2));
    EXPECT_EQ(s.activities[0].name, "requests");
    EXPECT_DOUBLE_EQ(s.activities[0].rate, 200);
    EXPECT_DOUBLE_EQ(s.activities[0].total, 600);
    EXPECT_DOUBLE_EQ(s.activities[0].median.value_or(0), 0.0005);
    EXPECT_FALSE(s.activities[1].median);
    ASSERT_THAT(s.doors, SizeIs(2));
    EXPECT_DOUBLE_EQ(s.doors[0].connected, 3);
    EXPECT_DOUBLE_EQ(s.doors[0].rate, 100);
    ASSERT_THAT(s.shards, SizeIs(1));
    EXPECT_DOUBLE_EQ(s.shards[0].load, 0.25);
}

TEST(top_summary, a_server_that_began_anew_counts_from_zero) {
    const auto s = summarize(scrape_of(300, 2), scrape_of(10, 0.5), 1, 2000);
    EXPECT_DOUBLE_EQ(s.activities[0].rate, 20);
    EXPECT_FALSE(s.activities[0].median);
}

TEST(top_summary, a_server_of_any_number_of_shards_is_summed_up_soon) {
    constexpr int shards = 40'000;
    std::string text;
    for (int i = 0; i < shards; ++i) {
        text += "sluice_loop_turns_total{shard=\"" + std::to_string(i) +
                "\"} 3\nsluice_clients_accepted_total{door=\"" + std::to_string(i) + "\"} 2\n";
    }
    const auto all = *metrics::scrape::parse(text);
    const auto s = summarize(*metrics::scrape::parse(""), all, 1, 1);
    ASSERT_THAT(s.shards, SizeIs(shards));
    EXPECT_EQ(s.shards.back().name, "39999");
    EXPECT_DOUBLE_EQ(s.shards.back().turns, 3);
    ASSERT_THAT(s.doors, SizeIs(shards));
    EXPECT_DOUBLE_EQ(s.doors.back().total, 2);
}

TEST(top_summary, is_json) {
    const auto json = to_json(shown());
    EXPECT_EQ(json["server"]["engine"], "uring");
    EXPECT_EQ(json["activities"][0]["rate"], 200);
    EXPECT_TRUE(json["activities"][1]["p50_seconds"].is_null());
    EXPECT_EQ(json["doors"][0]["connected"], 3);
}

TEST(top_view, no_line_is_wider_than_the_window_and_no_window_overflows) {
    for (const std::size_t columns : {1U, 20U, 40U, 80U, 200U}) {
        for (const std::size_t rows : {1U, 2U, 10U, 24U, 60U}) {
            const auto lines = draw("127.0.0.1:9090", shown(), {},
                                    {.columns = columns, .rows = rows, .keys = true});
            EXPECT_LE(lines.size(), rows);
            EXPECT_TRUE(std::ranges::all_of(
                lines, [columns](const std::string& line) { return line.size() <= columns; }));
            EXPECT_THAT(lines.back(), StartsWith(std::string{"q quits"}.substr(0, columns)));
        }
    }
}

TEST(top_view, text_of_the_server_cannot_move_the_cursor) {
    for (const auto& line : draw("127.0.0.1:9090", shown(), "gone\x1b]0;x\x07", {})) {
        EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
        EXPECT_EQ(line.find('\x07'), std::string::npos) << line;
    }
}

TEST(top_view, shows_the_numbers) {
    const auto lines = draw("127.0.0.1:9090", shown(), {}, {});
    EXPECT_EQ(lines[0], "sluice 1.2 at 127.0.0.1:9090  event, uring");
    EXPECT_EQ(lines[1], "ready");
    EXPECT_EQ(lines[3], "memory 3.0 MiB  cpu 25 %  descriptors 0  up 1h 01m");
    EXPECT_THAT(lines, Contains("requests             200         600    500 us    990 us"));
    EXPECT_THAT(lines, Contains("bytes out       95.4 MiB   286.1 MiB"));
}

TEST(top_view, numbers_of_a_server_may_be_any) {
    auto s = shown();
    s.uptime = std::numeric_limits<double>::infinity();
    s.activities[0].rate = std::numeric_limits<double>::quiet_NaN();
    s.activities[0].total = -1;
    s.descriptors = -1;
    const auto lines = draw("x", s, {}, {});
    EXPECT_THAT(lines[3], HasSubstr("up 11574074074d 01h"));
    EXPECT_THAT(lines, Contains("requests               0           0    500 us    990 us"));
}

TEST(top_view, colours_only_where_it_may) {
    const auto plain = draw("x", shown(), {}, {});
    const auto coloured = draw("x", shown(), {}, {.colour = true});
    EXPECT_THAT(coloured[1], HasSubstr("\x1b[32mready\x1b[0m"));
    EXPECT_EQ(plain[1], "ready");
    ASSERT_EQ(plain.size(), coloured.size());
}

TEST(top_view, a_server_that_is_gone_is_said_so) {
    EXPECT_EQ(draw("x", shown(), "gone", {})[1], "gone");
    EXPECT_EQ(draw("x", std::nullopt, "gone", {})[1], "gone");
    EXPECT_EQ(draw("x", std::nullopt, {}, {})[0], "sluice at x");
}

}  // namespace
}  // namespace sluice::cli::top
