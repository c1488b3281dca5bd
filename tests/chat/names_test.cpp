// Which names people and rooms may have, and why not the others.
#include "sluice/chat/server/names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace sluice::chat {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string why_no_nick(std::string_view name) {
    const auto judged = judge_nick(name);
    return judged ? std::string{} : judged.error();
}
std::string why_no_room(std::string_view name) {
    const auto judged = judge_room(name);
    return judged ? std::string{} : judged.error();
}

std::string times(int count, const std::string& what) {
    std::string all;
    for (int i = 0; i < count; ++i) all += what;
    return all;
}

TEST(chat_names, people_are_called_what_they_like) {
    for (const std::string name :
         {"a",         "Ann",     "Ann Lee", "O'Neil", "Ünal",     "李",        "😀",
          "-",         "7",       "client",  "Client", "Client x", "client x7", "Clients 7",
          "Client 7a", "servers", "exits",   "a*b",    "a/b",      "#x",        "a@b"}) {
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
         {std::string{"a\x1b[31mb"},  std::string{"a\tb"},        std::string{"a\rb"},
          std::string{"a\x7f"},       std::string{"a\0b", 3},     std::string{"a\u0085b"},
          std::string{"a\u202eb"},    std::string{"a\u2066b"},    std::string{"a\u2028b"},
          std::string{"a\u200bb"},    std::string{"\u200d"},      std::string{"a\u00a0b"},
          std::string{"\ufeff"},      std::string{"\u3000"},      std::string{"\u3164"},
          std::string{"\u00ad"},      std::string{"a\u034fb"},    std::string{"a\ufe0f"},
          std::string{"a\U000e0100"}, std::string{"a\U000e0061"}, std::string{"a\u2800b"},
          std::string{"a\u202fb"},    std::string{"a\u115f"},     std::string{"a\u0378"},
          std::string{"a\ue000"},     std::string{"a\uffff"},     std::string{"a\u180e"},
          std::string{"a\U0001d173"}, std::string{"\u0301a"},     std::string{"a\u0301\u0301"},
          std::string{"i\u0307"}}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("visible")) << ::testing::PrintToString(name);
        EXPECT_THAT(why_no_room(name), HasSubstr("visible")) << ::testing::PrintToString(name);
    }
    for (const std::string name : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\xaf"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("UTF-8")) << ::testing::PrintToString(name);
        EXPECT_THAT(why_no_room(name), HasSubstr("UTF-8")) << ::testing::PrintToString(name);
    }
}

TEST(chat_names, look_like_something) {
    // A shadda alone, which is a letter.
    for (const std::string& name : {std::string{"\ufe7c"}, std::string{"\ufe7c\ufe7e"}}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("looks like something")) << name;
        EXPECT_THAT(why_no_room(name), HasSubstr("looks like something")) << name;
        EXPECT_THAT(skeleton(name), IsEmpty()) << name;
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
    for (const std::string name : {"*",
                                   "* Bob",
                                   "/me",
                                   "/",
                                   "[Bob",
                                   "Bob]",
                                   "a]: b",
                                   "<< x",
                                   "x >>",
                                   "a:",
                                   "\u2217 Bob",
                                   "\uff0a Bob",
                                   "\u066d",
                                   "\u2731 x",
                                   "\u204e x",
                                   "\uff3bBob\uff3d",
                                   "\u3010Bob\u3011",
                                   "\u27e6x\u27e7",
                                   "\u3014x",
                                   "\u00abx",
                                   "\u2039x",
                                   "\uff1cx",
                                   "x\uff1a",
                                   "x\u2236 y",
                                   "x\ua789",
                                   "\u2215me",
                                   "\uff0fme",
                                   "\u300ax\u300b",
                                   "\u2772x"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("none of [ ] < > :")) << name;
    }
    for (const std::string name : {"Client 7",      "client 7",      "CLIENT 12345678901234567890",
                                   "Client 0",      "Client7",       "Client_7",
                                   "C1ient 7",      "CIient 7",      "Cl\u0456ent 3",
                                   "\u0421lient 3", "\u03f9lient 3", "Client \u0663",
                                   "Client \uff13", "\uff23lient 3", "Client l",
                                   "Client O",      "Client \u2462", "Cl\u00eeent 3",
                                   "Client-3",      "Client #3"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("what the server calls people")) << name;
    }
    for (const std::string name :
         {"server", "Server", "EXIT", "exit", "Serv\u0435r", "\u0405erver", "\uff33erver",
          "S erver", "SERVER", "Server.", "S\u00e9rver", "(Server)"}) {
        EXPECT_THAT(why_no_nick(name), HasSubstr("something else")) << name;
    }
}

TEST(chat_names, are_kept_composed) {
    EXPECT_EQ(judge_nick("Jose\u0301"), "Jos\u00e9");
    EXPECT_EQ(judge_room("cafe\u0301"), "caf\u00e9");
    EXPECT_EQ(judge_nick("Ann Lee"), "Ann Lee");
}

TEST(chat_names, that_look_alike_have_one_skeleton) {
    const std::string alice = skeleton("alice");
    for (const std::string name :
         {"Alice",          "ALICE",           "a lice",
          "\u0430lice",     "al\u0456ce",      "ali\u0441e",
          "ali\u03f2e",     "ALI\u03f9E",      "alic\u0435",
          "\u0410lice",     "\u0391lice",      "\u03b1lice",
          "al\u03b9ce",     "\uff41lice",      "\uff21\uff2c\uff29\uff23\uff25",
          "\U0001d41alice", "\u24d0lice",      "\U0001f130lice",
          "\u0251lice",     "a1ice",           "aIice",
          "a|ice",          "a\u217cice",      "a\u2113ice",
          "al\u0131ce",     "\u13aalice",      "\ua4eelice",
          "alic\u0301e",    "al\u00ecce",      "\u1ea1lice",
          "a\u0332lice",    "al\u200bice",     "al\u00adice",
          "alice\ufe0f",    "alice\U000e0041", "al\u2060ice"}) {
        EXPECT_EQ(skeleton(name), alice) << name;
    }
    for (const auto& [one, other] :
         {std::pair{"m", "rn"}, std::pair{"Tom", "Torn"}, std::pair{"Bob", "B0b"},
          std::pair{"O", "0"}, std::pair{"Bill", "B1ll"}, std::pair{"\u0412ob", "Bob"},
          std::pair{"\u0392ob", "bob"}, std::pair{"Jose\u0301", "Jos\u00e9"},
          std::pair{"stra\u00dfe", "STRASSE"}}) {
        EXPECT_EQ(skeleton(one), skeleton(other)) << one;
    }
    for (const auto& [one, other] :
         {std::pair{"Ann", "Anna"}, std::pair{"Bob", "Rob"}, std::pair{"\u30ab", "\u30ac"},
          std::pair{"Client 1", "Client 11"}, std::pair{"Client 10", "Client 01"},
          std::pair{"\u674e", "\u738b"}, std::pair{"\U0001f600", "\U0001f603"}}) {
        EXPECT_NE(skeleton(one), skeleton(other)) << one;
    }
    EXPECT_THAT(skeleton("\xff"), IsEmpty());
    EXPECT_THAT(skeleton(times(1000, "a")), IsEmpty());
    // The longest there is, of the character that grows most.
    EXPECT_EQ(skeleton(times(32, "\ufdfa")).empty(), false);
}

TEST(chat_names, have_the_same_letters_but_for_case_and_normalisation) {
    EXPECT_TRUE(same_letters("Ann", "aNN"));
    EXPECT_TRUE(same_letters("\u00c4nn", "a\u0308nn"));
    EXPECT_FALSE(same_letters("Ann Lee", "AnnLee"));
    EXPECT_FALSE(same_letters("\u0430lice", "alice"));
    EXPECT_FALSE(same_letters("Ann", ""));
}

}  // namespace
}  // namespace sluice::chat
