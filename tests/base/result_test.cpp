// Errors: four bytes that know whose they are, and words for people.
#include "sluice/base/result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <cctype>
#include <cerrno>
#include <string>

#include "sluice/base/bytes.hpp"
#include "sluice/base/check.hpp"

namespace sluice::test {
namespace {

TEST(error, keeps_its_code_and_its_category) {
    const error system = error::system(ECONNREFUSED);
    EXPECT_EQ(system.whose(), error::category::system);
    EXPECT_EQ(system.code(), ECONNREFUSED);
    EXPECT_TRUE(system.is(ECONNREFUSED));
    EXPECT_FALSE(system.is(ECONNRESET));

    const error resolver = error::resolver(EAI_NONAME);
    EXPECT_EQ(resolver.whose(), error::category::resolver);
    EXPECT_EQ(resolver.code(), -EAI_NONAME);
    EXPECT_EQ(resolver, error::resolver(-EAI_NONAME));

    const error ours = fault::timed_out;
    EXPECT_EQ(ours.whose(), error::category::sluice);
    EXPECT_EQ(ours.code(), static_cast<int>(fault::timed_out));
}

TEST(error, of_different_categories_are_never_equal) {
    // The same number in each.
    const error system = error::system(1);
    const error resolver = error::resolver(1);
    const error ours = static_cast<fault>(1);
    EXPECT_NE(system, resolver);
    EXPECT_NE(resolver, ours);
    EXPECT_NE(ours, system);
    EXPECT_FALSE(ours.is(1));
    EXPECT_FALSE(resolver.is(1));
}

TEST(error, says_in_words_what_went_wrong) {
    EXPECT_EQ(error::system(ECONNREFUSED).message(), "connection refused");
    EXPECT_EQ(error::resolver(EAI_NONAME).message(), ::gai_strerror(EAI_NONAME));
    EXPECT_EQ(error{fault::timed_out}.message(), "the deadline passed");
}

TEST(error, has_words_for_every_fault) {
    for (const fault f :
         {fault::timed_out, fault::cancelled, fault::closed, fault::message_too_long,
          fault::queue_full, fault::ended, fault::bad_address, fault::unsupported}) {
        const auto words = error{f}.message();
        EXPECT_NE(words, "unknown error") << static_cast<int>(f);
        // They end up in the middle of sentences.
        EXPECT_TRUE(std::islower(static_cast<unsigned char>(words.at(0)))) << words;
    }
}

TEST(error, keeps_the_capitals_of_abbreviations) {
    EXPECT_EQ(error::system(EIO).message(), "input/output error");
    EXPECT_EQ(error::system(ERFKILL).message(), "operation not possible due to RF-kill");
    // "RFS specific error" must not become "rFS specific error".
    EXPECT_EQ(error::system(EDOTDOT).message(), "RFS specific error");
}

TEST(result, carries_a_value_or_an_error) {
    const auto half = [](int n) -> result<int> {
        if (n % 2 != 0) return failure_of(EINVAL);
        return n / 2;
    };
    EXPECT_EQ(half(4), 2);
    ASSERT_FALSE(half(3));
    EXPECT_TRUE(half(3).error().is(EINVAL));
    const result<int> ours = failure(fault::closed);
    EXPECT_EQ(ours.error(), error{fault::closed});
}

TEST(bytes, and_text_are_two_views_of_one_memory) {
    using namespace std::string_literals;
    const std::string text = "bytes \xff\0 and text"s;
    ASSERT_EQ(text.size(), 17U);
    const auto bytes = as_bytes(text);
    EXPECT_EQ(bytes.size(), text.size());
    EXPECT_EQ(static_cast<const void*>(bytes.data()), text.data());
    EXPECT_EQ(as_text(bytes), text);
    EXPECT_TRUE(as_text(as_bytes("")).empty());
}

TEST(check_death_test, says_where_and_what) {
    check(true, "not this");
    EXPECT_DEATH(check(false, "a sentence"), "result_test.cpp:[0-9]+: .*: a sentence");
}

}  // namespace
}  // namespace sluice::test
