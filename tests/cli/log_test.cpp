// The log: its two formats, its levels, and the lines that are no log.
#include "sluice/cli/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

std::string written(log_level least, log_format format, auto write) {
    set_up_log(least, format);
    ::testing::internal::CaptureStderr();
    write();
    return ::testing::internal::GetCapturedStderr();
}

TEST(log, text_has_time_and_level) {
    const auto text = written(log_level::info, log_format::text,
                              [] { log(log_level::warn, "the queue is full"); });
    EXPECT_THAT(text, MatchesRegex("[0-9:.]+ warning: the queue is full\n"));
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
