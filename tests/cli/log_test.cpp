// The log: its two formats, its levels, and the lines that are no log.
#include "sluice/cli/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "sluice/cli/output_queue.hpp"

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

std::string written(log_level least, log_format format, auto write) {
    set_up_log(least, format);
    ::testing::internal::CaptureStderr();
    write();
    EXPECT_TRUE(output().flush(std::chrono::seconds{30}));
    return ::testing::internal::GetCapturedStderr();
}

TEST(log, text_has_time_and_level) {
    const auto text = written(log_level::info, log_format::text,
                              [] { log(log_level::warn, "the queue is full"); });
    EXPECT_THAT(text,
                MatchesRegex("....-..-.. ..:..:..\\....[-+]..:.. warning: the queue is full\n"));
}

TEST(log, json_is_a_document_a_line) {
    const auto text = written(log_level::info, log_format::json,
                              [] { log(log_level::error, "a \"quoted\" \\ word\n\xff"); });
    ASSERT_EQ(text.find('\n'), text.size() - 1);
    const auto line = nlohmann::json::parse(text);
    EXPECT_EQ(line["level"], "error");
    EXPECT_EQ(line["message"], "a \"quoted\" \\ word\n\xef\xbf\xbd");
    EXPECT_THAT(line["time"].get<std::string>(), MatchesRegex("....-..-..T..:..:..\\....Z"));
}

TEST(log, counters_are_numbers_in_json) {
    constexpr std::array some{counter{"kept", 7, "that were kept"}, counter{"lost", 0, "others"}};
    const auto announced = [&] { announce_counters("things", some); };
    const auto line = nlohmann::json::parse(written(log_level::off, log_format::json, announced));
    EXPECT_EQ(line["message"], "counters");
    EXPECT_EQ(line["of"], "things");
    EXPECT_EQ(line["counters"]["kept"], 7);
    EXPECT_EQ(written(log_level::off, log_format::text, announced),
              "counters\n"
              "  things\n"
              "  kept                             7  that were kept\n"
              "  lost                             0  others\n");
}

TEST(log, takes_another_level_while_it_runs) {
    for (const auto format : {log_format::text, log_format::json}) {
        const auto text = written(log_level::warn, format, [] {
            log(log_level::info, "one");
            set_log_level(log_level::info);
            log(log_level::info, "two");
        });
        EXPECT_EQ(text.find("one"), std::string::npos);
        EXPECT_THAT(text, HasSubstr("two"));
    }
}

TEST(log, keeps_to_its_level) {
    const auto all = [] {
        log(log_level::trace, "one");
        log(log_level::info, "two");
        log(log_level::error, "three");
    };
    EXPECT_THAT(written(log_level::trace, log_format::text, all), HasSubstr("one"));
    const auto errors = written(log_level::error, log_format::text, all);
    EXPECT_THAT(errors, HasSubstr("three"));
    EXPECT_EQ(errors.find("two"), std::string::npos);
    EXPECT_THAT(written(log_level::off, log_format::text, all), IsEmpty());
}

TEST(log, announces_bare_lines_at_every_level) {
    const auto announcement = [] { announce("listening on 127.0.0.1:5000 (event, uring)"); };
    EXPECT_EQ(written(log_level::off, log_format::text, announcement),
              "listening on 127.0.0.1:5000 (event, uring)\n");
    const auto text = written(log_level::off, log_format::json, announcement);
    EXPECT_EQ(nlohmann::json::parse(text)["message"], "listening on 127.0.0.1:5000 (event, uring)");
}

}  // namespace
}  // namespace sluice::cli
