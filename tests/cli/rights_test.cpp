// The words of rights: which are taken, and what they cover.
#include "sluice/cli/auth/rights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <tuple>

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;

TEST(rights, words_that_are_taken) {
    for (const auto word : {"read", "read:/a", "upload", "upload:/inbox", "upload:inbox/deep/",
                            "overwrite", "delete:/x", "all", "all:/x", "chat", "ask"}) {
        EXPECT_EQ(why_no_right(word), "") << word;
    }
}

TEST(rights, words_that_are_refused) {
    for (const auto word : {"Read", "write", "read,all", "chat:/a", "ask:", "upload:/../x",
                            ":/inbox", "read:/a//b", "upload:/my files"}) {
        EXPECT_THAT(why_no_right(word), HasSubstr("is no right")) << word;
    }
    EXPECT_THAT(why_no_right(""), HasSubstr("it is empty"));
    EXPECT_THAT(why_no_right("up load"), HasSubstr("holds a blank"));
    EXPECT_THAT(why_no_right("\x1b[2J"), HasSubstr("'\\x1b[2J'"));
}

TEST(rights, what_they_cover) {
    constexpr std::array<std::tuple<std::string_view, std::string_view, bool>, 26> table{
        {{"read", "read", true},
         {"read", "read:/a", true},
         {"read:/a", "read", false},
         {"read:/a", "read:/a/", true},
         {"read:/a", "read:/a/b", true},
         {"read:/a", "read:/ab", false},
         {"read", "upload", false},
         {"upload:/in", "upload:/in/x", true},
         {"upload:/in", "upload", false},
         {"upload", "overwrite", false},
         {"upload", "read", false},
         {"overwrite", "upload", true},
         {"overwrite:/in", "upload:/in", true},
         {"overwrite", "delete", false},
         {"delete", "delete:/x", true},
         {"all", "read", true},
         {"all", "overwrite:/x", true},
         {"all", "delete", true},
         {"all:/x", "all:/x/y", true},
         {"all:/x", "all", false},
         {"overwrite", "all", false},
         {"all", "chat", false},
         {"chat", "chat", true},
         {"chat", "ask", false},
         {"ask", "ask", true},
         {"ask", "read", false}}};
    for (const auto& [held, wanted, covered] : table) {
        rights r;
        ASSERT_TRUE(r.grant(held));
        EXPECT_EQ(r.cover(wanted), covered) << held << ' ' << wanted;
    }
    rights parts;
    for (const auto each : {"read", "overwrite", "delete"}) ASSERT_TRUE(parts.grant(each));
    EXPECT_TRUE(parts.cover("all"));
    EXPECT_FALSE(parts.cover("nothing"));
}

TEST(rights, add_nothing_after_an_error) {
    rights r;
    EXPECT_FALSE(r.grant("delete:/.."));
    EXPECT_FALSE(r.cover("delete"));
    EXPECT_FALSE(r.cover("delete:/x"));
}

}  // namespace
}  // namespace sluice::cli
