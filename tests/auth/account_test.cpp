// The line of an account: round trips, and what is said of bad ones.
#include "sluice/auth/account.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string good_hash = "scrypt:4:1:1:AAAAAAAAAAAAAAAAAAAAAA:" + std::string(43, 'A');
const std::string good_key = "token:" + std::string(43, 'A');

std::string check_right(std::string_view right) {
    return right == "fly" ? "no account can fly" : "";
}

std::string error_of(const std::string& line) {
    const auto read = parse_account(line, check_right);
    EXPECT_FALSE(read) << line;
    return read ? "" : read.error();
}

TEST(account, line_and_back) {
    for (const auto& line : {
             fmt::format("alice {} {} read,upload:/inbox", good_hash, good_key),
             fmt::format("b@example.org - {} all", good_key),
             fmt::format("{} {} {} read", std::string(64, 'n'), good_hash, good_key),
             std::string{"* - - read"},
         }) {
        const auto read = parse_account(line, check_right);
        ASSERT_TRUE(read) << line << ": " << read.error();
        EXPECT_EQ(to_line(*read), line);
    }
}

TEST(account, has_what_its_line_says) {
    const auto read =
        parse_account(fmt::format("\talice  -\t{} read,upload:/inbox ", good_key), check_right);
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->name, "alice");
    EXPECT_FALSE(read->password);
    EXPECT_TRUE(read->token_key);
    EXPECT_THAT(read->rights, ElementsAre("read", "upload:/inbox"));
    const auto visitors = parse_account("* - - read", check_right);
    ASSERT_TRUE(visitors);
    EXPECT_FALSE(visitors->token_key);
}

TEST(account, bad_lines_and_what_is_said) {
    const std::array<std::pair<std::string, std::string_view>, 18> bad{
        {{"alice", "has 1 words; four are expected: NAME HASH TOKENKEY RIGHTS"},
         {fmt::format("alice {} read", good_hash), "has 3 words"},
         {fmt::format("alice {} {} read, upload", good_hash, good_key), "has 5 words"},
         {fmt::format("{} {} {} read", std::string(65, 'n'), good_hash, good_key),
          "1 to 64 letters"},
         {fmt::format("al/ice {} {} read", good_hash, good_key), "1 to 64 letters"},
         {fmt::format("al\x1bice {} {} read", good_hash, good_key), "1 to 64 letters"},
         {fmt::format("alic\xc3\xa9 {} {} read", good_hash, good_key), "1 to 64 letters"},
         {fmt::format("** - {} read", good_key), "or write * for clients without a name"},
         {fmt::format("* {} - read", good_hash), "* - - RIGHTS is expected"},
         {fmt::format("* - {} read", good_key), "* - - RIGHTS is expected"},
         {fmt::format("alice secret {} read", good_key), "the password of alice: it is no hash"},
         {fmt::format("alice {} - read", good_hash), "the token key of alice is not token:KEY"},
         {fmt::format("alice {} {} read", good_hash, std::string(43, 'A')),
          "the token key of alice"},
         {fmt::format("alice {} {}A read", good_hash, good_key), "with 32 bytes in base64url"},
         {fmt::format("alice {} {} read,fly", good_hash, good_key),
          "the rights of alice: no account can fly"},
         {fmt::format("alice {} {} read,,all", good_hash, good_key), "a right is empty"},
         {fmt::format("alice {} {} read,", good_hash, good_key), "a right is empty"},
         {fmt::format("alice {} {} read\r", good_hash, good_key), "holds a control character"}}};
    for (const auto& [line, why] : bad) EXPECT_THAT(error_of(line), HasSubstr(why)) << line;
}

TEST(account, errors_tell_no_secret) {
    EXPECT_THAT(error_of(fmt::format("alice hunter2 {} read", good_key)),
                Not(HasSubstr("hunter2")));
    EXPECT_THAT(error_of(fmt::format("alice {} token:hunter2 read", good_hash)),
                Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace sluice::auth
