// Strings of JSON from text that is not to be trusted.
#include "sluice/wire/json_string.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "sluice/wire/text.hpp"

namespace sluice::wire {
namespace {

using namespace std::string_view_literals;

std::string json_of(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

TEST(json_string, is_in_quotes) {
    EXPECT_EQ(json_of(""), "\"\"");
    EXPECT_EQ(json_of("a \u00fc \U0001f600"), "\"a \u00fc \U0001f600\"");
    EXPECT_EQ(json_of("a\"b\\c\t\n\x1b\x7f"), R"("a\"b\\c\u0009\u000a\u001b\u007f")");
    EXPECT_EQ(json_of("\u0085\u202e\u2066"), R"("\u0085\u202e\u2066")");
    EXPECT_EQ(json_of("\xff\xc3"), "\"\ufffd\ufffd\"");
}

TEST(json_string, says_the_same_to_a_parser_and_nothing_to_a_terminal) {
    std::string all;
    for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
    all += "\u0080\u009f\u00a0\u2027\u2028\u2029\u202a\u202e\u2065\u2069\U00010000\uffff";
    EXPECT_TRUE(is_printable(json_of(all)));
    EXPECT_EQ(nlohmann::json::parse(json_of(all)), all);
}

TEST(json_string, a_document_says_nothing_to_a_terminal_either) {
    EXPECT_EQ(printable_json("{\n  \"a\": \"\u00fc\t\"\n}\n"), "{\n  \"a\": \"\u00fc\t\"\n}\n");
    EXPECT_EQ(printable_json("[\n\"\x7f\u009b\u202e\u00fc\U0001f600\"]"),
              "[\n\"\\u007f\\u009b\\u202e\u00fc\U0001f600\"]");
}

}  // namespace
}  // namespace sluice::wire
