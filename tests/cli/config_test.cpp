// Configuration files: what they may say, and where the first mistake stands.
#include "sluice/cli/config.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string flat(std::string_view text) {
    const auto read = parse_config(text);
    if (!read) return std::to_string(read.error().line) + "! " + read.error().what;
    std::string out;
    for (const auto& [section, key, value, line] : *read) {
        out += fmt::format("{}[{}]{}={};", line, section, key, value);
    }
    return out;
}

TEST(config, reads_sections_keys_and_values) {
    EXPECT_EQ(flat("listen = 5000\n\n[talk]\nquiet=true\n[talk.serve]\n  max_clients\t=  7  \n"),
              "1[]listen=5000;4[talk]quiet=true;6[talk serve]max-clients=7;");
}

TEST(config, reads_what_editors_leave) {
    EXPECT_EQ(flat("a = 1\r\n\r\n[b]\r\nc = 2"), "1[]a=1;4[b]c=2;");
    EXPECT_THAT(flat(""), IsEmpty());
    EXPECT_THAT(flat("\n \n\t\n"), IsEmpty());
}

TEST(config, knows_comments_from_values) {
    EXPECT_EQ(flat("# a\n; b\n  # c\na = 1 # one\nb = x#y ; z\n[s] # in s\nc = #\n"),
              "4[]a=1;5[]b=x#y;7[s]c=;");
}

TEST(config, takes_quoted_values_as_they_are) {
    EXPECT_EQ(flat("a = \" # x \"\nb = 'it\"s'  # why\nc = \"\"\n"),
              "1[]a= # x ;2[]b=it\"s;3[]c=;");
}

TEST(config, takes_an_ipv6_address_without_quotes) {
    EXPECT_EQ(flat("listen = [::1]:5000\nquiet = 1\n"), "1[]listen=[::1]:5000;2[]quiet=1;");
}

TEST(config, joins_the_words_of_a_key_by_dots) {
    EXPECT_EQ(flat("chat.max_line = 1\n[serve.chat]\nteam.rate = 2\n"),
              "1[]chat.max-line=1;3[serve chat]team.rate=2;");
    EXPECT_EQ((config_entry{.section = "serve chat", .key = "team.rate", .value = ""}.name()),
              "serve.chat.team.rate");
    EXPECT_EQ((config_entry{.section = "", .key = "rate", .value = ""}.name()), "rate");
    for (const std::string_view bad : {".a = 1", "a. = 1", "a..b = 1", ". = 1"}) {
        EXPECT_THAT(flat(bad), HasSubstr("KEY = VALUE")) << bad;
    }
}

TEST(config, finds_every_mistake_and_all_that_is_none) {
    const auto found =
        read_config("a = 1\nnonsense\n[x]\nb = 2\n[y\nc = 3\n= 4\n[z]\nd = 'e\nf = 5");
    std::vector<std::size_t> lines;
    for (const auto& each : found.mistakes) lines.push_back(each.line);
    EXPECT_THAT(lines, ElementsAre(2, 5, 7, 9));
    std::vector<std::string> names;
    for (const auto& each : found.entries) names.push_back(each.name());
    // Whose section c is in is not known.
    EXPECT_THAT(names, ElementsAre("a", "x.b", "z.f"));
    ASSERT_EQ(found.sections.size(), 2U);
    EXPECT_EQ(found.sections[1].section, "z");
    EXPECT_EQ(found.sections[1].line, 8U);
}

TEST(config, a_value_that_is_written_is_read_again) {
    for (const std::string_view value :
         {"plain", "", " # x ", "x # y", "it's", "\"said\"", "a;b", "; a", "'", "sh -c 'a b'"}) {
        const auto text = config_value(value);
        ASSERT_TRUE(text) << value;
        const auto read = parse_config("a = " + *text);
        ASSERT_TRUE(read) << value;
        EXPECT_EQ(read->front().value, value);
    }
    EXPECT_EQ(config_value("plain words"), "plain words");
    EXPECT_FALSE(config_value("two\nlines"));
    EXPECT_FALSE(config_value("\"a\" # 'b'"));
}

TEST(config, says_where_a_mistake_is) {
    EXPECT_THAT(flat("a = 1\nnonsense\n"), HasSubstr("2! 'nonsense' is no setting"));
    EXPECT_THAT(flat("a b = 1"), HasSubstr("1! "));
    EXPECT_THAT(flat("= 1"), HasSubstr("KEY = VALUE"));
    EXPECT_THAT(flat("Listen = 1"), HasSubstr("KEY = VALUE"));
    EXPECT_THAT(flat("\n[talk"), HasSubstr("2! '[talk' opens a section and never closes it"));
    EXPECT_THAT(flat("[]"), HasSubstr("is no section"));
    EXPECT_THAT(flat("[talk..serve]"), HasSubstr("is no section"));
    EXPECT_THAT(flat("[talk.]"), HasSubstr("is no section"));
    EXPECT_THAT(flat("[ta/lk]"), HasSubstr("is no section"));
    EXPECT_THAT(flat("a = \"x"), HasSubstr("opens a quote and never closes it"));
    EXPECT_THAT(flat("a = \"x\" y"), HasSubstr("after the closing quote"));
}

TEST(config, mistakes_are_fit_for_a_terminal) {
    EXPECT_THAT(flat("\x1b[2J"), HasSubstr("\\x1b[2J"));
    EXPECT_LT(flat(std::string(100'000, 'x')).size(), 300U);
}

TEST(config, the_same_line_wherever_the_file_begins) {
    const std::string filler(1000, '\n');
    EXPECT_EQ(flat(filler + "a=1"), "1001[]a=1;");
}

}  // namespace
}  // namespace sluice::cli
