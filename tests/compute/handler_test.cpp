// What the works answer, and what they leave to be done.
#include "sluice/compute/server/handler.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace sluice::compute {
namespace {

using namespace std::chrono_literals;

/// The whole answer, worked for if it has to be.
std::string answer(const handler& w, std::string_view question) {
    std::string said;
    auto todo = w.begin(question, said);
    if (!todo) return said;
    EXPECT_EQ(said, "");
    if (!todo->compute) return todo->slept;
    const auto computed = todo->compute();
    return computed ? *computed : "error: " + computed.error().message();
}

TEST(fib, counts_from_one_and_one) {
    const auto w = make_fib(34);
    for (const auto& [question, expected] : {std::pair{"0", "1"},
                                             {"1", "1"},
                                             {"2", "2"},
                                             {"5", "8"},
                                             {"20", "10946"},
                                             {"25", "121393"},
                                             {" 10 ", "89"},
                                             {"010", "89"},
                                             {"-0", "1"}}) {
        EXPECT_EQ(answer(*w, question), expected) << question;
    }
}

TEST(fib, refuses_what_is_no_number_or_too_much) {
    const auto w = make_fib(34);
    const std::string long_number(100'000, '9');
    for (const std::string_view question :
         {"35", "-1", "-35", "99999999999999999999", "18446744073709551616", long_number.c_str()}) {
        EXPECT_EQ(answer(*w, question), "out of range") << question.substr(0, 30);
    }
    for (const std::string_view question :
         {"", " ", "-", "--1", "+1", "abc", "1a", "1 2", "0x10", "1.0", "1e1", "\x80\xff"}) {
        EXPECT_EQ(answer(*w, question), "not a number") << question;
    }
}

TEST(fib, what_is_cheap_is_answered_at_once_and_the_rest_is_a_job) {
    const auto w = make_fib(92);
    std::string said;
    EXPECT_FALSE(w->begin("10", said));
    EXPECT_EQ(said, "89");
    EXPECT_TRUE(w->begin("30", said));
    EXPECT_TRUE(w->begin("92", said));
    EXPECT_EQ(said, "89");
}

TEST(echo, says_the_same) {
    const auto w = make_echo();
    const std::string_view any{"\0\xff text", 7};
    EXPECT_EQ(answer(*w, any), any);
}

TEST(sleep, waits_as_long_as_asked_and_no_longer_than_allowed) {
    const auto w = make_sleep(1s);
    std::string said;
    const auto todo = w->begin("250", said);
    ASSERT_TRUE(todo);
    EXPECT_EQ(todo->sleep, 250ms);
    EXPECT_EQ(todo->slept, "250");
    EXPECT_EQ(answer(*w, "1001"), "out of range");
}

TEST(functions, answer_what_they_return) {
    const auto w = make_function(std::function<std::string(std::string_view)>{
        [](std::string_view q) { return std::string{q} + "!"; }});
    EXPECT_EQ(answer(*w, "hi"), "hi!");
}

}  // namespace
}  // namespace sluice::compute
