// The lines of the access log in each format, and what clients may have put into them.
#include "sluice/cli/access_format.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using model::access_event;
using model::access_kind;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using namespace std::chrono_literals;
using namespace std::string_view_literals;

/// 2026-11-30 22:12:10.123 UTC, an hour later in the log's zone.
constexpr local_time at{
    .when = std::chrono::sys_days{std::chrono::November / 30 / 2026} + 22h + 12min + 10s + 123ms,
    .offset = 1h};

access_event request() {
    return {.kind = access_kind::request,
            .id = {(std::uint64_t{3} << 39U) | 33U},
            .client = *net::address::parse("192.0.2.1:40123"),
            .user = "ann",
            .what = "/a%20b?download",
            .method = "GET",
            .referrer = "https://example.org/",
            .agent = "curl/8",
            .status = 206,
            .received = 0,
            .sent = 1234,
            .took = 12'345'678ns};
}

access_event question() {
    return {.kind = access_kind::question,
            .client = *net::address::parse("[2001:db8::1]:9"),
            .what = "30",
            .reason = "busy",
            .received = 2,
            .sent = 4,
            .took = 1s};
}

std::string line_of(access_format format, const access_event& e, bool cut = false) {
    std::string line;
    EXPECT_EQ(format_access(line, format, e, at), cut);
    return line;
}

TEST(access_format, text_has_all_in_a_line) {
    EXPECT_EQ(line_of(access_format::text, request()),
              "2026-11-30T23:12:10.123+01:00 00003-11 http 192.0.2.1:40123 ann "
              "\"GET /a%20b?download\" 206 in=0 out=1234 0.012345s\n");
    EXPECT_EQ(line_of(access_format::text, question()),
              "2026-11-30T23:12:10.123+01:00  compute [2001:db8::1]:9 - \"question 30\" busy "
              "in=2 out=4 1.000000s\n");
}

TEST(access_format, combined_is_that_of_apache) {
    EXPECT_EQ(line_of(access_format::combined, request()),
              "192.0.2.1 - ann [30/Nov/2026:23:12:10 +0100] \"GET /a%20b?download HTTP/1.1\" 206 "
              "1234 \"https://example.org/\" \"curl/8\"\n");
    EXPECT_EQ(line_of(access_format::combined, question()),
              "2001:db8::1 - - [30/Nov/2026:23:12:10 +0100] \"question 30\" - 4 \"-\" \"-\"\n");
}

TEST(access_format, json_has_the_fields_of_ecs) {
    const auto line = nlohmann::json::parse(line_of(access_format::json, request()));
    EXPECT_EQ(line, (nlohmann::json{{"@timestamp", "2026-11-30T23:12:10.123+01:00"},
                                    {"ecs.version", "8.11.0"},
                                    {"event.dataset", "sluice.access"},
                                    {"event.id", "00003-11"},
                                    {"event.action", "request"},
                                    {"event.outcome", "success"},
                                    {"event.duration", 12'345'678},
                                    {"service.name", "http"},
                                    {"client.address", "192.0.2.1"},
                                    {"client.port", 40123},
                                    {"user.name", "ann"},
                                    {"http.version", "1.1"},
                                    {"http.request.method", "GET"},
                                    {"url.path", "/a%20b"},
                                    {"url.query", "download"},
                                    {"http.request.body.bytes", 0},
                                    {"http.response.status_code", 206},
                                    {"http.response.body.bytes", 1234},
                                    {"http.request.referrer", "https://example.org/"},
                                    {"user_agent.original", "curl/8"}}));
    const auto other = nlohmann::json::parse(line_of(access_format::json, question()));
    EXPECT_EQ(other["event.outcome"], "failure");
    EXPECT_EQ(other["event.reason"], "busy");
    EXPECT_EQ(other["client.address"], "2001:db8::1");
    EXPECT_EQ(other["sluice.question"], "30");
    EXPECT_EQ(other["client.bytes"], 2);
    EXPECT_EQ(other["server.bytes"], 4);
    EXPECT_FALSE(other.contains("user.name"));
}

TEST(access_format, an_entry_of_the_journal_has_a_field_a_line) {
    const auto entry = line_of(access_format::journal, request());
    EXPECT_EQ(entry,
              "MESSAGE=http 192.0.2.1:40123 ann \"GET /a%20b?download\" 206 in=0 out=1234 "
              "0.012345s\n"
              "PRIORITY=6\nSYSLOG_IDENTIFIER=sluice\nSLUICE_ID=00003-11\nSLUICE_SERVICE=http\n"
              "SLUICE_ACTION=request\nSLUICE_CLIENT=192.0.2.1\nSLUICE_CLIENT_PORT=40123\n"
              "SLUICE_USER=ann\nSLUICE_METHOD=GET\nSLUICE_TARGET=/a%20b?download\n"
              "SLUICE_STATUS=206\nSLUICE_OUTCOME=success\nSLUICE_BYTES_IN=0\n"
              "SLUICE_BYTES_OUT=1234\nSLUICE_DURATION_US=12345\n"
              "SLUICE_REFERRER=https://example.org/\nSLUICE_USER_AGENT=curl/8\n\0"sv);
    auto failed = request();
    failed.status = 500;
    EXPECT_THAT(line_of(access_format::journal, failed), HasSubstr("\nPRIORITY=4\n"));
}

TEST(access_format, what_clients_send_ends_no_line_and_moves_no_cursor) {
    constexpr auto bad = "a\"b\\c\n\r\x1b[31m\0\x9b\xff\u202e x"sv;
    auto e = request();
    e.user = e.what = e.method = e.referrer = e.agent = e.reason = bad;
    for (const auto format : {access_format::text, access_format::combined}) {
        const auto line = line_of(format, e);
        EXPECT_EQ(line.find('\n'), line.size() - 1);
        EXPECT_TRUE(wire::is_printable(std::string_view{line}.substr(0, line.size() - 1)));
        EXPECT_THAT(line, HasSubstr(R"(a\"b\\c\x0a\x0d\x1b[31m\x00\x9b\xff\u202e)"));
    }
    const auto json = line_of(access_format::json, e);
    EXPECT_EQ(json.find('\n'), json.size() - 1);
    EXPECT_TRUE(wire::is_printable(std::string_view{json}.substr(0, json.size() - 1)));
    EXPECT_EQ(nlohmann::json::parse(json)["user_agent.original"],
              "a\"b\\c\n\r\x1b[31m\0\ufffd\ufffd\u202e x"sv);
    const auto entry = line_of(access_format::journal, e);
    EXPECT_EQ(entry.find('\0'), entry.size() - 1);
    EXPECT_THAT(entry, HasSubstr("\nSLUICE_USER_AGENT=a\"b\\c\\x0a\\x0d\\x1b"));
}

TEST(access_format, a_word_of_a_client_is_one_column) {
    auto e = question();
    e.user = "two words";
    e.reason = "another protocol";
    EXPECT_THAT(line_of(access_format::text, e),
                HasSubstr(" two_words \"question 30\" another_protocol in=2"));
}

TEST(access_format, what_is_too_long_is_cut_and_the_line_stays_one_write) {
    auto e = request();
    const std::string target(1500, 'a');
    e.what = target;
    EXPECT_THAT(line_of(access_format::text, e, true),
                HasSubstr("GET " + std::string(1024, 'a') + "...\" 206"));
    const std::string worst(70'000, '\x1b');
    e.user = e.what = e.method = e.referrer = e.agent = e.reason = worst;
    for (const auto format : {access_format::text, access_format::json, access_format::combined,
                              access_format::journal}) {
        const auto line = line_of(format, e, true);
        EXPECT_LE(line.size(), longest_access_line);
        EXPECT_THAT(line, HasSubstr("..."));
    }
    EXPECT_EQ(nlohmann::json::parse(line_of(access_format::json, e, true))["service.name"], "http");
}

TEST(access_format, needs_no_memory_for_a_line_but_its_own) {
    std::string line;
    line.reserve(longest_access_line);
    const auto* const before = line.data();
    format_access(line, access_format::text, request(), at);
    EXPECT_EQ(line.data(), before);
}

TEST(access_format, knows_the_zone_of_this_machine) {
    const auto now = std::chrono::system_clock::now();
    const auto found = local_time_of(now);
    const auto second = std::chrono::system_clock::to_time_t(now);
    std::tm local{};
    ::localtime_r(&second, &local);
    EXPECT_EQ(found.offset.count(), local.tm_gmtoff);
    EXPECT_EQ(found.when, now);
}

}  // namespace
}  // namespace sluice::cli
