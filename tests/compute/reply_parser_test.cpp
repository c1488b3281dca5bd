// Sorts what a program printed: answers, unsolicited lines, copies and prompts.
#include "sluice/compute/server/reply_parser.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sluice::compute {
namespace {

TEST(reply_parser, the_first_line_after_the_newline_is_the_answer) {
    reply_parser p{100};
    p.feed("banner\nprompt> ");
    EXPECT_EQ(p.take_unasked_lines(), 1U);
    p.begin("question");
    p.feed("late\nprompt> ");
    EXPECT_EQ(p.take_unasked_lines(), 1U);
    p.ask();
    p.feed("ans");
    EXPECT_FALSE(p.answered());
    p.feed("wer\r\nmore\nand ");
    EXPECT_TRUE(p.answered());
    EXPECT_EQ(p.take_answer(), "answer");
    EXPECT_EQ(p.take_unasked_lines(), 1U);
}

TEST(reply_parser, a_copy_of_the_question_is_a_part_of_the_answer) {
    reply_parser p{100};
    p.begin("abc");
    p.feed("a");
    p.feed("b");
    p.ask();
    p.feed("c\n");
    EXPECT_EQ(p.take_answer(), "abc");
    p.begin("abc");
    p.feed("abd");
    p.ask();
    p.feed("x\n");
    EXPECT_EQ(p.take_answer(), "x");
}

TEST(reply_parser, a_line_over_the_limit_is_reported_and_not_kept) {
    for (const auto* end : {"\n", "\r\n"}) {
        reply_parser p{4};
        p.begin("q");
        p.ask();
        p.feed(std::string{"1234"} + end);
        EXPECT_FALSE(p.too_long());
        EXPECT_EQ(p.take_answer(), "1234");
        p.begin("q");
        p.ask();
        p.feed(std::string{"12345"} + end);
        EXPECT_TRUE(p.too_long());
    }
}

}  // namespace
}  // namespace sluice::compute
