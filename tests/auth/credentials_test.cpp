// The line by which a client says who it is.
#include "sluice/auth/credentials.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::auth {
namespace {

using namespace std::string_view_literals;

TEST(credentials, read_a_name_and_a_password) {
    for (const auto line : {"login ann a secret", "/login ann a secret"}) {
        const auto said = read_login(line);
        ASSERT_TRUE(said) << line;
        EXPECT_EQ(said->name, "ann");
        EXPECT_EQ(said->secret, "a secret");
        EXPECT_FALSE(said->is_token());
    }
    EXPECT_EQ(read_login("login ann  ")->secret, " ");
}

TEST(credentials, read_a_token) {
    const auto said = read_login("login sluice1.a.b");
    ASSERT_TRUE(said);
    EXPECT_TRUE(said->is_token());
    EXPECT_EQ(said->secret, "sluice1.a.b");
}

TEST(credentials, other_lines_are_none) {
    for (const auto line : {""sv, "login"sv, "login "sv, "login  a"sv, "login ann "sv,
                            "Login ann a"sv, "login\tann a"sv, "login ann a\0b"sv,
                            "login ann a\x7f"sv, "login ann a\r"sv, "GET / HTTP/1.1"sv}) {
        EXPECT_FALSE(read_login(line)) << line;
    }
    EXPECT_TRUE(read_login("login " + std::string(longest_login_line - 6, 'x')));
    EXPECT_FALSE(read_login("login " + std::string(longest_login_line - 5, 'x')));
}

TEST(credentials, make_the_line_that_is_read) {
    EXPECT_EQ(login_line({"ann", "a secret"}), "login ann a secret\n");
    EXPECT_EQ(login_line({"", "sluice1.a.b"}), "login sluice1.a.b\n");
}

TEST(credentials, are_moved_whole) {
    credentials first{"ann", std::string(100, 'x')};
    credentials second{std::move(first)};
    EXPECT_EQ(second.secret, std::string(100, 'x'));
    first = credentials{"bob", "short"};
    second = std::move(first);
    EXPECT_EQ(second.name, "bob");
    EXPECT_EQ(second.secret, "short");
}

}  // namespace
}  // namespace sluice::auth
