// Hashes of passwords: the vectors of RFC 7914, their text, and the costs that are refused.
#include "sluice/auth/password_hash.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "tests/auth/sample.hpp"

namespace sluice::auth {
namespace {

using ::testing::HasSubstr;

std::string hex(const_bytes data) {
    std::string text;
    for (const auto each : data) text += fmt::format("{:02x}", std::to_integer<unsigned>(each));
    return text;
}

TEST(password_hash, is_the_scrypt_of_rfc_7914) {
    struct vector {
        std::string_view password;
        std::string_view salt;
        scrypt_cost cost;
        std::string_view key;
    };
    // Section 12, but for the vector that needs 1 GiB.
    constexpr std::array<vector, 3> vectors{
        {{"",
          "",
          {.log2_n = 4, .r = 1, .p = 1},
          "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
          "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"},
         {"password",
          "NaCl",
          {.log2_n = 10, .r = 8, .p = 16},
          "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
          "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
         {"pleaseletmein",
          "SodiumChloride",
          {.log2_n = 14, .r = 8, .p = 1},
          "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
          "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"}}};
    for (const auto& each : vectors) {
        std::array<std::byte, 64> key{};
        scrypt(each.password, as_bytes(each.salt), each.cost, key);
        EXPECT_EQ(hex(key), each.key);
    }
}

TEST(password_hash, matches_its_password_alone) {
    const auto hash = password_hash::make("correct horse", quick);
    EXPECT_TRUE(hash.matches("correct horse"));
    for (const auto wrong :
         {"", "correct hors", "correct horsf", "correct horse ", "Correct horse"}) {
        EXPECT_FALSE(hash.matches(wrong)) << wrong;
    }
}

TEST(password_hash, takes_passwords_up_to_a_length) {
    const std::string longest(longest_password, 'x');
    EXPECT_TRUE(password_hash::make(longest, quick).matches(longest));
    EXPECT_FALSE(password_hash::make(longest + "x", quick).matches(longest + "x"));
}

TEST(password_hash, has_a_new_salt_each_time) {
    EXPECT_NE(password_hash::make("same", quick).to_text(),
              password_hash::make("same", quick).to_text());
}

TEST(password_hash, text_and_back) {
    const auto hash = password_hash::make("secret", {.log2_n = 5, .r = 2, .p = 3});
    EXPECT_THAT(hash.to_text(), testing::StartsWith("scrypt:5:2:3:"));
    const auto read = password_hash::parse(hash.to_text());
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(read->to_text(), hash.to_text());
    EXPECT_TRUE(read->matches("secret"));
    EXPECT_FALSE(read->matches("secreT"));
}

TEST(password_hash, of_none_matches_nothing_at_its_cost) {
    const auto none = password_hash::of_none(quick);
    EXPECT_FALSE(none.matches(""));
    EXPECT_EQ(none.cost().work(), quick.work());
}

TEST(password_hash, refuses_other_text_and_says_why) {
    const std::string salt(22, 'A');
    const std::string key(43, 'A');
    ASSERT_TRUE(password_hash::parse(fmt::format("scrypt:4:1:1:{}:{}", salt, key)));
    const std::array<std::pair<std::string, std::string_view>, 20> bad{
        {{"", "it is no hash"},
         {"secret", "it is no hash"},
         {fmt::format("argon2:4:1:1:{}:{}", salt, key), "it is no hash"},
         {fmt::format("scrypt:4:1:1:{}", salt), "it is no hash"},
         {fmt::format("scrypt:4:1:1:{}:{}:", salt, key), "it is no hash"},
         {fmt::format("scrypt::1:1:{}:{}", salt, key), "is no number"},
         {fmt::format("scrypt:4:x:1:{}:{}", salt, key), "is no number"},
         {fmt::format("scrypt:4:1:-1:{}:{}", salt, key), "is no number"},
         {fmt::format("scrypt:0:1:1:{}:{}", salt, key), "1 to 20 is expected"},
         {fmt::format("scrypt:21:1:1:{}:{}", salt, key), "1 to 20 is expected"},
         {fmt::format("scrypt:4:0:1:{}:{}", salt, key), "1 to 32 is expected"},
         {fmt::format("scrypt:4:33:1:{}:{}", salt, key), "1 to 32 is expected"},
         {fmt::format("scrypt:4:1:0:{}:{}", salt, key), "1 to 16 is expected"},
         {fmt::format("scrypt:4:1:17:{}:{}", salt, key), "1 to 16 is expected"},
         {fmt::format("scrypt:16:1:1:{}:{}", salt, key), "less than 16 is expected"},
         {fmt::format("scrypt:17:8:1:{}:{}", salt, key), "128 MiB; at most 64"},
         {fmt::format("scrypt:4:1:1:AAAA:{}", key), "SALT of scrypt is not 8 to 64 bytes"},
         {fmt::format("scrypt:4:1:1:{}:{}", std::string(87, 'A'), key), "SALT of scrypt"},
         {fmt::format("scrypt:4:1:1:{}:{}A", salt, key), "KEY of scrypt is not 32 bytes"},
         {fmt::format("scrypt:4:1:1:{}:{}B", salt, std::string(42, 'A')), "KEY of scrypt"}}};
    for (const auto& [text, why] : bad) {
        const auto read = password_hash::parse(text);
        ASSERT_FALSE(read) << text;
        EXPECT_THAT(read.error(), HasSubstr(why)) << text;
    }
}

TEST(password_hash, the_default_cost_is_fine_and_64_mib_are) {
    EXPECT_EQ(why_no_cost({}), "");
    EXPECT_EQ(why_no_cost({.log2_n = 16, .r = 8, .p = 1}), "");
    std::array<std::byte, 32> key{};
    EXPECT_NO_THROW(scrypt("x", {}, {.log2_n = 16, .r = 8, .p = 1}, key));
}

}  // namespace
}  // namespace sluice::auth
