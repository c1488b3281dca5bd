// Which names people and rooms may have, and why not the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "sluice/service/chat/names.hpp"

namespace sluice::service::chat {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string times(int count, const std::string& what) {
    std::string all;
    for (int i = 0; i < count; ++i) all += what;
    return all;
}

TEST(chat_names, people_are_called_what_they_like) {
    for (const std::string name :
         {"a",         "Ann",     "Ann Lee", "O'Neil", "Ünal",     "李",      "😀",
          "-",         "7",       "client",  "Client", "Client x", "client7", "Clients 7",
          "Client 7a", "servers", "exits",   "a*b",    "a/b",      "#x",      "a@b"}) {
        EXPECT_THAT(why_no_nick(name), IsEmpty()) << name;
    }
}

TEST(chat_names, have_one_to_thirty_two_characters_however_many_bytes) {
    EXPECT_THAT(why_no_nick(""), HasSubstr("at least one"));
    EXPECT_THAT(why_no_room(""), HasSubstr("at least one"));
    for (const std::string one : {"a", "é", "李", "😀"}) {
        EXPECT_THAT(why_no_nick(times(32, one)), IsEmpty()) << one;
        EXPECT_THAT(why_no_room(times(32, one)), IsEmpty()) << one;
        EXPECT_THAT(why_no_nick(times(33, one)), HasSubstr("at most 32")) << one;
        EXPECT_THAT(why_no_room(times(33, one)), HasSubstr("at most 32")) << one;
    }
    EXPECT_THAT(why_no_nick(times(10'240, "a")), HasSubstr("at most 32"));
}

TEST(chat_names, are_visible_text) {
    for (const std::string& name :
         {std::string{"a\x1b[31mb"}, std::string{"a\tb"}, std::string{"a\rb"}, std::string{"a\x7f"},
          std::string{"a\0b", 3}, std::string{"a\u0085b"}, std::string{"a\u202eb"},
          std::string{"a\u2066b"}, std::string{"a\u2028b"}, std::string{"a\u200bb"},
          std::string{"\u200d"}, std::string{"a\u00a0b"}, std::string{"\ufeff"},
          std::string{"\u3000"}, std::string{"\u3164"}, std::string{"\u00ad"}}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("visible")) << ::testing::PrintToString(name);
        EXPECT_THAT(why_no_room(name), HasSubstr("visible")) << ::testing::PrintToString(name);
    }
    for (const std::string name : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("UTF-8")) << ::testing::PrintToString(name);
        EXPECT_THAT(why_no_room(name), HasSubstr("UTF-8")) << ::testing::PrintToString(name);
    }
}

TEST(chat_names, have_single_spaces_inside_only) {
    for (const std::string name : {" ", " a", "a ", "a  b"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("spaces")) << name;
    }
    for (const std::string name : {" ", " a", "a ", "a b"}) {
        EXPECT_THAT(why_no_room(name), HasSubstr("spaces")) << name;
    }
}

TEST(chat_names, do_not_look_like_the_servers_own_lines) {
    for (const std::string name :
         {"*", "* Bob", "/me", "/", "[Bob", "Bob]", "a]: b", "<< x", "x >>", "a:"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("none of [ ] < > :")) << name;
    }
    for (const std::string name :
         {"Client 7", "client 7", "CLIENT 12345678901234567890", "Client 0"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("what the server calls people")) << name;
    }
    for (const std::string name : {"server", "Server", "EXIT", "exit"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("something else")) << name;
    }
}

TEST(chat_names, differ_by_more_than_ascii_capitals) {
    EXPECT_EQ(folded("Ann-Z[9"), "ann-z[9");
    EXPECT_EQ(folded("ÄÖ"), "ÄÖ");
    EXPECT_EQ(folded(""), "");
}

}  // namespace
}  // namespace sluice::service::chat
