// Tokens: what they say, when they end, and that no byte of them can be changed.
#include "sluice/auth/token.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/auth/accounts.hpp"
#include "sluice/auth/base64url.hpp"
#include "tests/auth/sample.hpp"

namespace sluice::auth {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::StartsWith;

constexpr std::chrono::sys_seconds now{1'800'000'000s};

secret_key key_of(char fill) {
    std::array<std::byte, secret_key::size> bytes{};
    bytes.fill(static_cast<std::byte>(fill));
    return secret_key{bytes};
}

accounts with_alice(char key) {
    const account alice{
        .name = "alice", .password = {}, .token_key = key_of(key), .rights = {"read"}};
    const account bob{.name = "bob", .password = {}, .token_key = key_of('b'), .rights = {"read"}};
    return accounts::parse(to_line(alice) + '\n' + to_line(bob) + "\n* - - read\n", "users",
                           any_right)
        .value();
}

token_claims claims_of(std::string name) {
    return {.name = std::move(name),
            .expires = now + 10s,
            .rights = {"read", "upload:/inbox"},
            .id = 0x0123456789abcdef};
}

std::string signed_by(char key, std::string_view payload) {
    std::string text = "sluice1." + to_base64url(as_bytes(payload));
    const auto signature = hmac_sha256(key_of(key), as_bytes(text));
    return text + '.' + to_base64url(signature);
}

TEST(token, says_what_it_was_made_of) {
    const auto text = make_token(claims_of("alice"), key_of('a'));
    ASSERT_TRUE(text);
    EXPECT_THAT(*text, StartsWith("sluice1."));
    EXPECT_EQ(text->find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                      "0123456789-_."),
              std::string::npos);
    const auto found = with_alice('a').verify_token(*text, now);
    ASSERT_TRUE(found) << to_text(found.error());
    EXPECT_EQ(found->name, "alice");
    EXPECT_EQ(found->expires, now + 10s);
    EXPECT_THAT(found->rights, ElementsAre("read", "upload:/inbox"));
    EXPECT_EQ(found->id, 0x0123456789abcdefU);
}

TEST(token, has_the_documented_form) {
    EXPECT_EQ(make_token(claims_of("alice"), key_of('a')),
              signed_by('a', "alice 1800000010 read,upload:/inbox 0123456789abcdef"));
}

TEST(token, is_signed_by_hmac_sha256) {
    // RFC 4231, test case 1, whose key of 20 bytes is filled up with zeros, as HMAC itself does.
    std::array<std::byte, secret_key::size> bytes{};
    std::fill_n(bytes.begin(), 20, std::byte{0x0b});
    EXPECT_EQ(to_base64url(hmac_sha256(secret_key{bytes}, as_bytes("Hi There"))),
              "sDRMYdjbOFNcqK_OrwvxK4gdwgDJgz2nJuk3bC4yz_c");
}

TEST(token, ends) {
    const auto all = with_alice('a');
    const auto text = make_token(claims_of("alice"), key_of('a')).value();
    EXPECT_TRUE(all.verify_token(text, now + 9s));
    EXPECT_EQ(all.verify_token(text, now + 10s).error(), token_error::expired);
}

TEST(token, of_another_key_or_name_is_refused) {
    const auto text = make_token(claims_of("alice"), key_of('a')).value();
    EXPECT_EQ(with_alice('n').verify_token(text, now).error(), token_error::bad_signature);
    const auto other = make_token(claims_of("bob"), key_of('a')).value();
    EXPECT_EQ(with_alice('a').verify_token(other, now).error(), token_error::bad_signature);
    const auto unknown = make_token(claims_of("carol"), key_of('a')).value();
    EXPECT_EQ(with_alice('a').verify_token(unknown, now).error(), token_error::unknown_name);
}

TEST(token, is_refused_with_any_byte_changed) {
    const auto all = with_alice('a');
    const auto good = make_token(claims_of("alice"), key_of('a')).value();
    ASSERT_TRUE(all.verify_token(good, now));
    for (std::size_t i = 0; i < good.size(); ++i) {
        for (int c = 0; c < 256; ++c) {
            auto bad = good;
            bad[i] = static_cast<char>(c);
            if (bad == good) continue;
            EXPECT_FALSE(all.verify_token(bad, now)) << i << ' ' << c;
        }
        EXPECT_FALSE(all.verify_token(good.substr(0, i), now)) << i;
        EXPECT_FALSE(all.verify_token(good.substr(0, i) + good.substr(i + 1), now)) << i;
    }
    EXPECT_FALSE(all.verify_token(good + "A", now));
    EXPECT_FALSE(all.verify_token(good + ".", now));
    EXPECT_FALSE(all.verify_token(" " + good, now));
}

TEST(token, is_malformed_where_its_claims_are) {
    const auto all = with_alice('a');
    for (const std::string_view payload :
         {"", "alice", "alice 1800000010 read", "alice 1800000010  0123456789abcdef",
          "alice x read 0123456789abcdef", "alice 1800000010 read 0123456789abcde",
          "alice 1800000010 read 0123456789abcdefg", "alice 1800000010 read 0123456789abcdef ",
          "* 1800000010 read 0123456789abcdef", "alice 1800000010 a,,b 0123456789abcdef",
          "alice 99999999999999999999 read 0123456789abcdef"}) {
        EXPECT_EQ(all.verify_token(signed_by('a', payload), now).error(), token_error::malformed)
            << payload;
    }
    for (const std::string_view text :
         {"", "sluice1", "sluice1.", "sluice1..", "sluice1...", "sluice2.YQ.YQ", "Bearer"}) {
        EXPECT_EQ(all.verify_token(text, now).error(), token_error::malformed) << text;
    }
}

TEST(token, has_a_longest_length) {
    auto claims = claims_of("alice");
    claims.rights = {std::string(2900, 'r')};
    const auto text = make_token(claims, key_of('a'));
    ASSERT_TRUE(text);
    EXPECT_TRUE(with_alice('a').verify_token(*text, now));
    claims.rights = {std::string(3100, 'r')};
    EXPECT_FALSE(make_token(claims, key_of('a')));
    const auto longer =
        signed_by('a', fmt::format("alice 1800000010 {} 0123456789abcdef", claims.rights[0]));
    ASSERT_GT(longer.size(), longest_token);
    EXPECT_EQ(with_alice('a').verify_token(longer, now).error(), token_error::malformed);
}

}  // namespace
}  // namespace sluice::auth
