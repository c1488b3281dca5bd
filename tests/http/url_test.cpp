// URLs: what people write is taken apart, and what is none is refused with a hint.
#include "sluice/http/url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace sluice::http {
namespace {

using testing::HasSubstr;

url parsed(std::string_view text) {
    auto made = parse_url(text);
    EXPECT_TRUE(made.has_value()) << text << ": " << made.error();
    return made.value_or(url{});
}

std::string refused(std::string_view text) {
    const auto made = parse_url(text);
    EXPECT_FALSE(made.has_value()) << text;
    return made ? std::string{} : made.error();
}

TEST(url, takes_host_port_path_and_query_apart) {
    const auto u = parsed("http://127.0.0.1:8080/a/b.bin?x=1&y#part");
    EXPECT_EQ(u.scheme, url_scheme::http);
    EXPECT_EQ(u.authority, "127.0.0.1:8080");
    EXPECT_EQ(u.path, "/a/b.bin");
    EXPECT_EQ(u.query, "?x=1&y");
    EXPECT_EQ(u.target(), "/a/b.bin?x=1&y");
    EXPECT_EQ(u.to_string(), "http://127.0.0.1:8080/a/b.bin?x=1&y");
}

TEST(url, gives_http_its_port_and_its_path) {
    EXPECT_EQ(parsed("http://files.example").authority, "files.example:80");
    EXPECT_EQ(parsed("http://files.example").path, "/");
    EXPECT_EQ(parsed("http://[::1]/x").authority, "[::1]:80");
    EXPECT_EQ(parsed("http://[::1]:81/x").authority, "[::1]:81");
    EXPECT_EQ(parsed("http://h?q").target(), "/?q");
}

TEST(url, reads_bare_streams) {
    const auto u = parsed("tcp://localhost:5001");
    EXPECT_EQ(u.scheme, url_scheme::tcp);
    EXPECT_EQ(u.authority, "localhost:5001");
    EXPECT_EQ(parsed("tcp://localhost:5001/").to_string(), "tcp://localhost:5001");
}

TEST(url, encodes_what_a_path_cannot_hold_and_nothing_twice) {
    EXPECT_EQ(parsed("http://h:1/my file\"<\xc3\xa4>.txt").path, "/my%20file%22%3C%C3%A4%3E.txt");
    EXPECT_EQ(parsed("http://h:1/my%20file+(1)~'!").path, "/my%20file+(1)~'!");
    EXPECT_EQ(parsed("http://h:1/a\r\nHost: b").path, "/a%0D%0AHost:%20b");
}

TEST(url, names_what_is_spoken_over_tls) {
    const auto secure = parsed("https://h/x?y");
    EXPECT_TRUE(secure.over_tls);
    EXPECT_EQ(secure.scheme, url_scheme::http);
    EXPECT_EQ(secure.authority, "h:443");
    EXPECT_EQ(secure.to_string(), "https://h:443/x?y");
    const auto bare = parsed("tls://h:1");
    EXPECT_TRUE(bare.over_tls);
    EXPECT_EQ(bare.scheme, url_scheme::tcp);
    EXPECT_EQ(bare.to_string(), "tls://h:1");
    EXPECT_FALSE(parsed("http://h/").over_tls);
    EXPECT_FALSE(parsed("tcp://h:1").over_tls);
}

TEST(url, refuses_what_it_cannot_reach) {
    EXPECT_THAT(refused("127.0.0.1:8080/x"), HasSubstr("is no URL; write http://HOST:PORT/NAME"));
    EXPECT_THAT(refused(""), HasSubstr("is no URL"));
    EXPECT_THAT(refused("http:///x"), HasSubstr("names no host"));
    EXPECT_THAT(refused("http://me:secret@h/x"), HasSubstr("has a user"));
    EXPECT_THAT(refused("tcp://h:1/x"), HasSubstr("has a path"));
    EXPECT_THAT(refused("http://h/100%"), HasSubstr("write %25"));
    EXPECT_THAT(refused("http://h/%zz"), HasSubstr("write %25"));
    EXPECT_EQ(refused("ftp://\x1b[2J").find('\x1b'), std::string::npos);
}

TEST(url, knows_the_name_a_path_ends_in) {
    EXPECT_EQ(last_name("/a/b.bin"), "b.bin");
    EXPECT_EQ(last_name("/a%20b"), "a b");
    EXPECT_EQ(last_name("/"), "");
    EXPECT_EQ(last_name("/a/"), "");
    EXPECT_EQ(last_name("/.."), "");
    EXPECT_EQ(last_name("/%2e%2E"), "");
    EXPECT_EQ(last_name("/a%2F..%2Fb"), "");
    EXPECT_EQ(last_name("/a%00"), "");
    EXPECT_EQ(last_name("/a%2"), "");
}

}  // namespace
}  // namespace sluice::http
