// Words and fields of heads that may be no heads.
#include "sluice/http/raw_head.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace sluice::http {
namespace {

TEST(raw_head, has_a_method_and_a_target) {
    const auto words = first_words("\r\nGET  /a b HTTP/1.1\r\nHost: x\r\n");
    EXPECT_EQ(words.method, "GET");
    EXPECT_EQ(words.target, "/a");
}

TEST(raw_head, may_be_anything) {
    for (const std::string_view each : {"", "\n", "\r\n", "GET", " ", "GET\n/a"}) {
        EXPECT_EQ(first_words(each).target, "") << each;
    }
    EXPECT_EQ(first_words("GET\n/a").method, "GET");
}

TEST(raw_head, has_fields_whatever_their_case) {
    constexpr std::string_view head =
        "GET / HTTP/1.1\r\nUser-agent-x: no\r\nuser-AGENT: \t curl/8 \r\nUser-Agent: other\r\n\r\n";
    EXPECT_EQ(raw_field(head, "User-Agent"), "curl/8");
    EXPECT_EQ(raw_field(head, "Referer"), "");
    EXPECT_EQ(raw_field("Referer", "Referer"), "");
    EXPECT_EQ(raw_field("Referer:", "Referer"), "");
}

}  // namespace
}  // namespace sluice::http
