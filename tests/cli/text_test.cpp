// The small things that messages are made of.
#include "sluice/cli/text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {
namespace {

using namespace std::string_view_literals;

TEST(words, quotes_safely) {
    EXPECT_EQ(in_quotes("plain"), "'plain'");
    EXPECT_EQ(in_quotes("\x1b\n"), "'\\x1b\\x0a'");
    EXPECT_EQ(in_quotes("gr\u00fc\u00df"), "'gr\u00fc\u00df'");
    EXPECT_EQ(in_quotes(std::string(81, 'a')), "'" + std::string(80, 'a') + "...'");
    EXPECT_EQ(in_quotes(std::string(80, 'a')), "'" + std::string(80, 'a') + "'");
}

TEST(words, lists) {
    EXPECT_EQ(listed({}, "or"), "");
    EXPECT_EQ(listed(std::array{"a"sv}, "or"), "a");
    EXPECT_EQ(listed(std::array{"a"sv, "b"sv}, "or"), "a or b");
    EXPECT_EQ(listed(std::array{"a"sv, "b"sv, "c"sv}, "and"), "a, b and c");
}

TEST(words, finds_what_was_meant) {
    const std::vector<std::string> known{"--listen", "--engine", "--model", "--log-level"};
    EXPECT_EQ(nearest("--lisen", known), "--listen");
    EXPECT_EQ(nearest("--modle", known), "--model");
    EXPECT_EQ(nearest("--listen", known), "--listen");
    EXPECT_EQ(nearest("--port", known), "");
    EXPECT_EQ(nearest("jain", std::vector<std::string>{"join", "gain"}), "join") << "the first";
    EXPECT_EQ(nearest("", known), "");
    const std::vector<std::string> commands{"talk", "chat", "serve", "doctor", "lab", "mv"};
    EXPECT_EQ(nearest("chta", commands), "chat") << "two characters swapped are one mistake";
    EXPECT_EQ(nearest("srevr", commands), "") << "two mistakes in five characters";
    EXPECT_EQ(nearest("dokter", commands), "doctor");
    for (const auto* far : {"xyzzy", "cost", "to", "x", "rm", "-"}) {
        EXPECT_EQ(nearest(far, commands), "") << far;
    }
    EXPECT_EQ(nearest(std::string(1'000'000, 'x'), known), "");
    EXPECT_EQ(nearest("x", {}), "");
}

TEST(words, groups_digits) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(123456), "123,456");
    EXPECT_EQ(grouped(std::numeric_limits<std::uint64_t>::max()), "18,446,744,073,709,551,615");
}

TEST(words, wraps_between_words) {
    EXPECT_EQ(wrapped("", 2, 10), "");
    EXPECT_EQ(wrapped("a b", 2, 10), "  a b\n");
    EXPECT_EQ(wrapped("aaaa bbb cc", 2, 10), "  aaaa bbb\n  cc\n");
    EXPECT_EQ(wrapped("aaaa bbbb", 2, 10), "  aaaa\n  bbbb\n");
    EXPECT_EQ(wrapped("longer-than-the-line x", 2, 10), "  longer-than-the-line\n  x\n");
}

TEST(words, wraps_command_lines_so_that_they_can_be_pasted) {
    EXPECT_EQ(wrapped_command("run --a", 2, 20), "  run --a\n");
    EXPECT_EQ(wrapped_command("run --all --of it", 2, 15), "  run --all \\\n    --of it\n");
    EXPECT_EQ(wrapped_command("a bbbbb c", 0, 7), "a \\\n  bbbbb \\\n  c\n");
}

}  // namespace
}  // namespace sluice::cli
