// The chat as members see it: what they receive, what the others receive, and what strangers cannot
// do to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/base/sometimes.hpp"
#include "sluice/chat/server/chat_service.hpp"
#include "tests/chat/rig.hpp"

namespace sluice::chat {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

INSTANTIATE_TEST_SUITE_P(on, chat_test, ::testing::ValuesIn(every_chat()), chat_name);

std::string numbered(std::size_t n) {
    return "line " + std::to_string(n);
}

TEST_P(chat_test, a_newcomer_is_greeted) {
    session ann = come();
    EXPECT_EQ(ann.line(),
              "* welcome, you are Client 1 in lobby (1 here); /help "
              "says what you can do");
    session bob = come();
    EXPECT_EQ(bob.line(),
              "* welcome, you are Client 2 in lobby (2 here); /help "
              "says what you can do");
    EXPECT_EQ(ann.line(), "* Client 2 has joined");
}

TEST_P(chat_test, a_line_reaches_all_but_its_author) {
    auto all = meet(5);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].say("from " + std::to_string(i));
        for (std::size_t j = 0; j < all.size(); ++j) {
            if (j == i) continue;
            EXPECT_EQ(all[j].line(),
                      "[Client " + std::to_string(i + 1) + "]: from " + std::to_string(i));
        }
    }
}

TEST_P(chat_test, the_lines_of_one_come_in_order_and_never_back) {
    allowed().framing = wire::framing::line;
    auto all = meet(3);
    std::string glued;
    for (std::size_t i = 0; i < 1000; ++i) glued += numbered(i) + "\n";
    all[0].send(glued);
    for (const std::size_t other : {1U, 2U}) {
        for (std::size_t i = 0; i < 1000; ++i) {
            ASSERT_EQ(all[other].line(), "[Client 1]: " + numbered(i));
        }
    }
    all[1].say("done");
    EXPECT_EQ(all[0].line(), "[Client 2]: done");
}

TEST_P(chat_test, who_comes_and_goes_is_announced) {
    auto all = meet(4);
    session& watching = all[0];
    all[1].say("/quit");
    EXPECT_EQ(watching.line(), "* Client 2 has left");
    EXPECT_THAT(all[1].lines_to_end(), ElementsAre("* goodbye", "(end)"));
    all[2].say("exit");
    EXPECT_EQ(watching.line(), "* Client 3 has left");
    all[3].reset();
    EXPECT_EQ(watching.line(), "* Client 4 has left");
    session next = come();
    EXPECT_EQ(watching.line(), "* Client 5 has joined");
    next.close();
    EXPECT_EQ(watching.line(), "* Client 5 has left");
}

TEST_P(chat_test, a_new_name_is_announced_and_used) {
    auto all = meet(2);
    all[0].say("/nick Ann");
    EXPECT_EQ(all[0].line(), "* you are now Ann");
    EXPECT_EQ(all[1].line(), "* Client 1 is now Ann");
    all[0].say("hello");
    EXPECT_EQ(all[1].line(), "[Ann]: hello");
    all[0].say("/nick ann");
    EXPECT_EQ(all[0].line(), "* you are now ann");
    EXPECT_EQ(all[1].line(), "* Ann is now ann");
    all[0].say("/nick ann");
    EXPECT_EQ(all[0].line(), "* you are ann already");
    all[0].say("/nick");
    EXPECT_EQ(all[0].line(), "* you are ann; /nick NAME changes that");
}

TEST_P(chat_test, names_are_refused_with_a_reason) {
    auto all = meet(2);
    all[0].say("/nick Ann");
    EXPECT_EQ(all[0].line(), "* you are now Ann");
    EXPECT_EQ(all[1].line(), "* Client 1 is now Ann");
    all[1].say("/nick ANN");
    EXPECT_EQ(all[1].line(), "* the name ANN is taken; choose another with /nick NAME");
    for (const char* name : {"* Ann", "[Ann]", "Client 7", "\x1b[2J", "a\tb", "server", "\xff"}) {
        all[1].say(std::string{"/nick "} + name);
        EXPECT_THAT(all[1].line(), StartsWith("* no: ")) << name;
    }
    all[1].say("/nick " + std::string(3000, 'x'));
    EXPECT_EQ(all[1].line(), "* no: a name has at most 32 characters");
    all[1].say("hello");
    EXPECT_EQ(all[0].line(), "[Client 2]: hello");
    // A name is free again once its owner has gone.
    all[0].say("/quit");
    EXPECT_EQ(all[1].line(), "* Ann has left");
    all[1].say("/nick ann");
    EXPECT_THAT(all[1].lines_until("now"), ElementsAre("* you are now ann"));
}

TEST_P(chat_test, who_and_rooms_say_who_is_where) {
    auto all = meet(3);
    all[2].say("/join attic");
    EXPECT_EQ(all[0].line(), "* Client 3 has left");
    EXPECT_EQ(all[1].line(), "* Client 3 has left");
    EXPECT_EQ(all[2].line(), "* you are in room attic (1 here)");
    all[0].say("/who");
    EXPECT_EQ(all[0].line(), "* in lobby (2): Client 1, Client 2");
    all[2].say("/who");
    EXPECT_EQ(all[2].line(), "* in attic (1): Client 3");
    for (session& g : all) {
        g.say("/rooms");
        EXPECT_EQ(g.line(), "* rooms: attic (1), lobby (2)");
    }
}

TEST_P(chat_test, me_says_what_a_member_does) {
    auto all = meet(2);
    all[0].say("/me waves");
    EXPECT_EQ(all[1].line(), "*Client 1 waves*");
    all[0].say("/me   \x1b[31mturns red ");
    EXPECT_EQ(all[1].line(), "*Client 1 \\x1b[31mturns red*");
    all[0].say("/me");
    EXPECT_EQ(all[0].line(), "* say what you do: /me waves");
}

TEST_P(chat_test, a_private_line_is_for_one) {
    auto all = meet(4);
    all[1].say("/nick Bob Lee");
    for (const std::size_t i : {0U, 2U, 3U}) {
        EXPECT_EQ(all[i].line(), "* Client 2 is now Bob Lee");
    }
    EXPECT_EQ(all[1].line(), "* you are now Bob Lee");
    for (const std::size_t from : {0U, 2U, 3U}) {
        all[from].say("/msg bob lee  psst \xff\x1b ");
        EXPECT_EQ(all[from].line(), "* told Bob Lee");
        EXPECT_EQ(all[1].line(),
                  "[Client " + std::to_string(from + 1) + " -> you]: psst \xef\xbf\xbd\\x1b");
    }
    all[0].say("/msg Bob hello");
    EXPECT_EQ(all[0].line(), "* nobody here has that name; /who lists who is in this room");
    for (const char* nonsense : {"/msg", "/msg Bob"}) {
        all[0].say(nonsense);
        EXPECT_EQ(all[0].line(), "* say to whom and what: /msg NAME TEXT");
    }
    // No other member has received anything, in any room.
    all[1].say("loud");
    for (const std::size_t i : {0U, 2U, 3U}) EXPECT_EQ(all[i].line(), "[Bob Lee]: loud");
    all[1].say("/join attic");
    for (const std::size_t i : {0U, 2U, 3U}) EXPECT_EQ(all[i].line(), "* Bob Lee has left");
    EXPECT_EQ(all[1].line(), "* you are in room attic (1 here)");
    all[0].say("/msg Bob Lee still there?");
    EXPECT_EQ(all[1].line(), "[Client 1 -> you]: still there?");
}

TEST_P(chat_test, every_command_has_an_answer) {
    session ann = come();
    EXPECT_THAT(ann.line(), StartsWith("* welcome"));
    ann.say("/help");
    const auto help = ann.lines_until("anything else");
    for (const char* command :
         {"/nick", "/join", "/who", "/rooms", "/me", "/msg", "/say", "/quit", "exit"}) {
        EXPECT_THAT(help, ::testing::Contains(HasSubstr(command)));
    }
    for (const std::string& nonsense :
         {std::string{"/"}, std::string{"//"}, std::string{"/ nick"}, std::string{"/NICK x"},
          std::string{"/nickname"}, std::string{"/quit2"}, std::string{"/\x1b[2J"},
          std::string{"/\xff\xfe"}, std::string{"/\0who", 5}, "/" + std::string(4000, 'x'),
          "/" + std::string(4000, '\x01')}) {
        ann.say(nonsense);
        const auto answer = ann.line();
        EXPECT_THAT(answer, AllOf(StartsWith("* there is no /"), HasSubstr("; /help lists")));
        EXPECT_LT(answer.size(), 250U);
    }
    ann.say("/quit");
    EXPECT_EQ(ann.line(), "* goodbye");
    EXPECT_EQ(ann.line(), "(end)");
}

TEST_P(chat_test, rooms_receive_nothing_of_each_other) {
    auto all = meet(4);
    for (const std::size_t mover : {2U, 3U}) {
        const std::string name = "Client " + std::to_string(mover + 1);
        all[mover].say("/join attic");
        EXPECT_EQ(all[mover].line(),
                  "* you are in room attic (" + std::to_string(mover - 1) + " here)");
        for (std::size_t i = 0; i < mover; ++i) {
            EXPECT_EQ(all[i].line(), "* " + name + (i == 2 ? " has joined" : " has left"));
        }
        // Members still in the lobby receive the first leaving.
        if (mover == 2) {
            EXPECT_EQ(all[3].line(), "* Client 3 has left");
        }
    }
    all[0].say("below");
    all[2].say("above");
    EXPECT_EQ(all[1].line(), "[Client 1]: below");
    // That the other has come may still be under way from another shard.
    EXPECT_EQ(all[3].lines_until("above").back(), "[Client 3]: above");
    all[3].say("/join lobby");
    EXPECT_EQ(all[2].line(), "* Client 4 has left");
    EXPECT_EQ(all[0].line(), "* Client 4 has joined");
    EXPECT_EQ(all[1].line(), "* Client 4 has joined");
    EXPECT_EQ(all[3].line(), "* you are in room lobby (3 here)");
    EXPECT_THAT(all[3].lines_until("before you came"),
                ElementsAre("* the last line said here:", "[Client 1]: below",
                            "* that was said before you came"));
}

TEST_P(chat_test, a_room_without_members_is_forgotten) {
    auto all = meet(2);
    all[0].say("/join attic");
    EXPECT_EQ(all[0].line(), "* you are in room attic (1 here)");
    EXPECT_EQ(all[1].line(), "* Client 1 has left");
    all[0].say("into the void");
    all[0].say("/join lobby");
    EXPECT_EQ(all[0].line(), "* you are in room lobby (2 here)");
    EXPECT_EQ(all[1].line(), "* Client 1 has joined");
    all[1].say("/rooms");
    EXPECT_EQ(all[1].line(), "* rooms: lobby (2)");
    all[1].say("/join attic");
    EXPECT_EQ(all[1].line(), "* you are in room attic (1 here)");
    all[1].say("/who");
    EXPECT_EQ(all[1].line(), "* in attic (1): Client 2");
}

// Behind the end of the copy they would be shown to a member that opens a room of this name next.
TEST_P(chat_test, the_last_lines_of_a_copy_come_before_its_end) {
    if (GetParam().shards < 2) GTEST_SKIP() << "one shard has no copies";
    static rare_path_counts taken;
    count_rare_paths(taken);
    const auto& after_end = taken[static_cast<std::size_t>(rare_path::chat_batch_after_its_copy)];
    std::string room = "attic";
    while (std::hash<std::string_view>{}(room) % 2 != 1) room += "'";
    session ann = come(0);
    EXPECT_THAT(ann.line(), StartsWith("* welcome"));
    ann.say("/join " + room);
    EXPECT_EQ(ann.line(), "* you are in room " + room + " (1 here)");
    // Each shard answers the other, and what it says at the end of its turn has come.
    const auto settle = [this] {
        for (int i = 0; i < 3; ++i) static_cast<void>(host().counted());
    };
    settle();
    const auto before = after_end.load();
    // The home shard finds all that the other one sends, which answers before it has sent that.
    host().on_shard(1, [this, &ann] {
        ann.send("into the void\n/join lobby\n");
        EXPECT_EQ(ann.line(), "* you are in room lobby (1 here)");
        host().on_shard(0, [] {});
    });
    settle();
    EXPECT_EQ(after_end.load(), before);
}

TEST_P(chat_test, rooms_are_refused_with_a_reason) {
    allowed().max_rooms = 2;
    auto all = meet(2);
    for (const std::string name : {"a b", "\x1b", "\u200b"}) {
        all[0].say("/join " + name);
        EXPECT_THAT(all[0].line(), StartsWith("* no: ")) << name;
    }
    all[0].say("/join " + std::string(2000, 'r'));
    EXPECT_EQ(all[0].line(), "* no: a name has at most 32 characters");
    all[0].say("/join lobby");
    EXPECT_EQ(all[0].line(), "* you are in lobby already");
    all[0].say("/join");
    EXPECT_EQ(all[0].line(), "* you are in lobby; /join ROOM takes you to another room");
    all[0].say("/join attic");
    EXPECT_EQ(all[0].line(), "* you are in room attic (1 here)");
    EXPECT_EQ(all[1].line(), "* Client 1 has left");
    all[1].say("/join cellar");
    EXPECT_EQ(all[1].line(), "* no: this server has as many rooms as it may; /rooms lists them");
    all[1].say("/join attic");
    EXPECT_EQ(all[1].line(), "* you are in room attic (2 here)");
    EXPECT_EQ(all[0].line(), "* Client 2 has joined");
}

TEST_P(chat_test, a_newcomer_is_shown_the_last_lines_as_such) {
    allowed().history = 3;
    auto all = meet(2);
    all[0].say("one");
    all[0].say("two");
    all[0].say("/nick Ann");
    all[0].say("/me three");
    all[0].say("four");
    EXPECT_THAT(all[1].lines_until("four"), ::testing::SizeIs(5));
    all[0].say("/msg Client 2 not for others");
    EXPECT_EQ(all[1].line(), "[Ann -> you]: not for others");
    // On either shard it is the same.
    for (std::size_t shard = 0; shard < 2; ++shard) {
        session late = come(shard);
        const std::string name = "Client " + std::to_string(3 + shard);
        EXPECT_EQ(all[1].line(), "* " + name + " has joined");
        EXPECT_THAT(late.line(), StartsWith("* welcome, you are " + name));
        EXPECT_EQ(late.line(), "* the last 3 lines said here:");
        EXPECT_EQ(late.line(), "[Client 1]: two");
        EXPECT_EQ(late.line(), "*Ann three*");
        EXPECT_EQ(late.line(), "[Ann]: four");
        EXPECT_EQ(late.line(), "* that was said before you came");
        late.close();
        EXPECT_EQ(all[1].line(), "* " + name + " has left");
    }
}

TEST_P(chat_test, without_history_a_newcomer_starts_from_nothing) {
    allowed().history = 0;
    auto all = meet(2);
    all[0].say("before");
    EXPECT_EQ(all[1].line(), "[Client 1]: before");
    session late = come();
    EXPECT_THAT(late.line(), StartsWith("* welcome"));
    EXPECT_EQ(all[0].line(), "* Client 3 has joined");
    all[0].say("after");
    EXPECT_EQ(late.line(), "[Client 1]: after");
}

TEST_P(chat_test, a_history_as_long_as_the_window_comes_whole_and_once) {
    allowed().framing = wire::framing::line;
    allowed().window = 16 * 1024;
    allowed().max_line = 1024;
    allowed().history = 1000;
    auto all = meet(2);
    const std::string filling(90, 'x');
    for (std::size_t i = 0; i < 500; ++i) all[0].say(numbered(i) + filling);
    all[0].say("the last one");
    EXPECT_EQ(all[1].lines_until("the last one").back(), "[Client 1]: the last one");
    for (std::size_t shard = 0; shard < 2; ++shard) {
        session late = come(shard);
        EXPECT_THAT(late.line(), StartsWith("* welcome"));
        const auto introduction = late.line();
        EXPECT_THAT(introduction, AllOf(StartsWith("* the last "), HasSubstr(" lines said here:")));
        auto lines = late.lines_until("* that was said before you came");
        // As much as the newcomer can keep while the room talks on.
        ASSERT_GT(lines.size(), 60U);
        EXPECT_EQ("* the last " + std::to_string(lines.size() - 1) + " lines said here:",
                  introduction);
        EXPECT_EQ(lines[lines.size() - 2], "[Client 1]: the last one");
        for (std::size_t i = 0; i + 2 < lines.size(); ++i) {
            ASSERT_EQ(lines[i], "[Client 1]: " + numbered(i + 502 - lines.size()) + filling);
        }
    }
}

TEST_P(chat_test, one_too_many_is_refused_with_a_reason) {
    allowed().max_clients = 3;
    auto all = meet(3);
    for (std::size_t shard = 0; shard < 2; ++shard) {
        session late = come(shard);
        EXPECT_EQ(late.line(), "* this server is full; try again later");
        EXPECT_EQ(late.line(), "(end)");
    }
    all[2].say("/quit");
    EXPECT_EQ(all[0].line(), "* Client 3 has left");
    session next = come();
    EXPECT_THAT(next.line(), StartsWith("* welcome, you are Client 4 in lobby (3 here)"));
    EXPECT_EQ(host().counted().refused, 2U);
    EXPECT_EQ(host().counted().members, 3U);
}

TEST_P(chat_test, a_line_too_long_is_dropped_alone) {
    allowed().max_line = 100;
    auto all = meet(3);
    all[0].say(std::string(100, 'x'));
    for (const std::size_t i : {1U, 2U}) {
        EXPECT_EQ(all[i].line(), "[Client 1]: " + std::string(100, 'x'));
    }
    all[1].send("fine\n" + std::string(10 << 20, 'x'));
    for (const std::size_t i : {0U, 2U}) {
        EXPECT_EQ(all[i].line(), "[Client 2]: fine");
    }
    EXPECT_THAT(all[1].line(), StartsWith("* that was not said: a line has at most 100 B here"));
    all[1].say("\nstays");
    for (const std::size_t i : {0U, 2U}) EXPECT_EQ(all[i].line(), "[Client 2]: stays");
    all[2].say(std::string(101, 'x') + "\nand on");
    EXPECT_THAT(all[2].line(), StartsWith("* that was not said: a line has at most 100 B here"));
    EXPECT_EQ(all[0].line(), "[Client 3]: and on");
    EXPECT_EQ(host().counted().too_long, 2U);
    EXPECT_EQ(host().counted().members, 3U);
}

TEST_P(chat_test, a_name_of_ten_kibibytes_is_no_name) {
    allowed().max_line = 16 * 1024;
    session ann = come();
    EXPECT_THAT(ann.line(), StartsWith("* welcome"));
    for (const char* command : {"/nick ", "/join ", "/msg "}) {
        ann.say(command + std::string(10'240, 'n') + " x");
        EXPECT_THAT(ann.line(), AnyOf("* no: a name has at most 32 characters",
                                      StartsWith("* nobody here has that name")));
    }
}

TEST_P(chat_test, empty_lines_are_dropped) {
    allowed().framing = wire::framing::line;
    auto all = meet(2);
    constexpr std::size_t count = 100'000;
    all[0].send(std::string(count, '\n') + "\r\n\r\nat last\n");
    EXPECT_EQ(all[1].line(), "[Client 1]: at last");
    EXPECT_EQ(host().counted().empty_lines, count + 2);
    EXPECT_EQ(host().counted().messages, 1U);
}

TEST_P(chat_test, what_is_no_text_is_made_harmless) {
    auto all = meet(2);
    using pair = std::pair<std::string, std::string>;
    for (const auto& [sent, received] :
         {pair{"\x1b]0;owned\x07", "\\x1b]0;owned\\x07"}, pair{"a\rb", "a\\x0db"},
          pair{"\xff", "\xef\xbf\xbd"}, pair{"\xe2\x82", "\xef\xbf\xbd"},
          pair{"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
          pair{"\u202eevil", "\\u202eevil"}, pair{std::string{"a\0b", 3}, "a\\x00b"},
          pair{"\u009b31m", "\\u009b31m"}, pair{"tab\tstays", "tab\tstays"}}) {
        all[0].say(sent);
        EXPECT_EQ(all[1].line(), "[Client 1]: " + received);
    }
    for (const std::string& line : {std::string(3000, '\x01'), std::string(3000, '\xff')}) {
        all[0].say(line);
        EXPECT_GT(all[1].line().size(), 3 * line.size());
    }
}

TEST_P(chat_test, the_longest_line_fits_the_least_window) {
    // Written out, a line may grow fourfold.
    allowed().max_line = 512;
    allowed().window = 8 * allowed().max_line;
    auto all = meet(4);
    for (std::size_t round = 0; round < 20; ++round) {
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i].say(std::string(512, '\x01'));
            for (std::size_t j = 0; j < all.size(); ++j) {
                if (j != i) {
                    ASSERT_EQ(all[j].line().size(), 12 + (4 * 512U)) << round;
                }
            }
        }
    }
}

TEST_P(chat_test, split_anywhere_the_bytes_say_the_same) {
    allowed().framing = wire::framing::line;
    auto all = meet(2);
    session& speaker = all[0];
    session fence = come(0);
    EXPECT_THAT(fence.line(), StartsWith("* welcome"));
    EXPECT_EQ(speaker.line(), "* Client 3 has joined");
    EXPECT_EQ(all[1].line(), "* Client 3 has joined");
    const std::string script =
        "hello\r\n\n/me waves\n/nick\n/msg Client 2 "
        "h\xc3\xa9\n\x1b\xff\n/nonsense\nbye\n";
    const std::vector<std::string> received{"[Client 1]: hello", "*Client 1 waves*",
                                            "[Client 1 -> you]: h\xc3\xa9",
                                            "[Client 1]: \\x1b\xef\xbf\xbd", "[Client 1]: bye"};
    const std::vector<std::string> answers{"* you are Client 1; /nick NAME changes that",
                                           "* told Client 2",
                                           "* there is no /nonsense; /help lists what there is"};
    for (std::size_t split = 0; split <= script.size(); ++split) {
        speaker.send(std::string_view{script}.substr(0, split));
        // On the same shard: what was sent before it has been read when it is answered.
        fence.say("/nick");
        EXPECT_EQ(fence.lines_until("you are").back(),
                  "* you are Client 3; /nick NAME changes that");
        speaker.send(std::string_view{script}.substr(split));
        // Private lines may overtake the room's, on another shard even one another's.
        auto got = all[1].lines_until("bye");
        if (got.size() < received.size()) got.push_back(all[1].line());
        EXPECT_THAT(got, ::testing::UnorderedElementsAreArray(received)) << split;
        for (const auto& answer : answers) EXPECT_EQ(speaker.line(), answer) << split;
    }
    for (const char byte : script) speaker.send({&byte, 1});
    EXPECT_THAT(all[1].lines_until("bye").back(), "[Client 1]: bye");
}

TEST_P(chat_test, who_ends_no_lines_is_answered_without_ends) {
    auto all = meet(2);
    all[0].send("hello");
    EXPECT_EQ(all[1].line(), "[Client 1]: hello");
    all[1].say("hi");
    EXPECT_TRUE(all[0].receives("[Client 2]: hi"));
    all[0].send("still");
    EXPECT_EQ(all[1].line(), "[Client 1]: still");
    // With an end behind the last one, this one would begin with that end.
    all[1].say("ho");
    EXPECT_TRUE(all[0].receives("[Client 2]: ho"));
    all[0].send("/nick");
    EXPECT_TRUE(all[0].receives("* you are Client 1; /nick NAME changes that"));
}

TEST_P(chat_test, a_late_line_end_brings_the_one_that_was_left_out) {
    auto all = meet(2);
    all[0].send("hello");
    EXPECT_EQ(all[1].line(), "[Client 1]: hello");
    all[1].say("hi");
    EXPECT_TRUE(all[0].receives("[Client 2]: hi"));
    all[0].send("\n");
    EXPECT_TRUE(all[0].receives("\n"));
    all[1].say("ho");
    EXPECT_TRUE(all[0].receives("[Client 2]: ho\n"));
    all[0].send("a li");
    std::this_thread::sleep_for(2 * wire::first_pause);
    all[0].send("ne\n");
    EXPECT_EQ(all[1].line(), "[Client 1]: a line");
}

TEST_P(chat_test, keys_as_they_are_typed_are_a_line) {
    auto all = meet(2);
    for (const char key : std::string_view{"d\xc3\xa9\r"}) {
        all[0].send({&key, 1});
        // Longer than a busy machine keeps the server from seeing that nothing follows.
        std::this_thread::sleep_for(6 * wire::first_pause);
    }
    EXPECT_EQ(all[1].line(), "[Client 1]: d\xc3\xa9");
}

TEST_P(chat_test, the_commands_of_a_telnet_reach_no_member) {
    auto all = meet(2);
    all[0].send("\xff\xf4\xff\xfd\x06");
    all[0].send({"hello\r\0", 7});
    EXPECT_EQ(all[1].line(), "[Client 1]: hello");
    all[0].send("\r\n/nick\r");
    // After the mark that it asks for at Ctrl-C.
    EXPECT_EQ(all[0].line(), "\xff\xfb\x06* you are Client 1; /nick NAME changes that");
}

TEST_P(chat_test, a_pause_of_the_servers_own_is_none_of_the_peers) {
    auto all = meet(2);
    session fence = come(0);
    EXPECT_THAT(fence.line(), StartsWith("* welcome"));
    EXPECT_EQ(all[1].line(), "* Client 3 has joined");
    all[0].send("hel");
    fence.say("/nick");
    EXPECT_THAT(fence.line(), StartsWith("* you are"));
    // The time is over and the rest is there when the thread looks again.
    host().on_shard(0, [&] {
        all[0].send("lo\n");
        std::this_thread::sleep_for(2 * wire::first_pause);
    });
    EXPECT_EQ(all[1].line(), "[Client 1]: hello");
}

TEST_P(chat_test, raw_one_read_is_one_message) {
    allowed().framing = wire::framing::raw;
    session ann = come(0);
    EXPECT_TRUE(
        ann.receives("* welcome, you are Client 1 in lobby (1 here); /help "
                     "says what you can do"));
    session bob = come(1);
    EXPECT_TRUE(
        bob.receives("* welcome, you are Client 2 in lobby (2 here); /help "
                     "says what you can do"));
    EXPECT_TRUE(ann.receives("* Client 2 has joined"));
    bob.send("no end");
    EXPECT_TRUE(ann.receives("[Client 2]: no end"));
    // Several lines at once stay lines, each in its author's name.
    bob.send("one\ntwo\r\n");
    EXPECT_TRUE(ann.receives("[Client 2]: one\n[Client 2]: two"));
    bob.send("/nick Bob");
    EXPECT_TRUE(ann.receives("* Client 2 is now Bob"));
    EXPECT_TRUE(bob.receives("* you are now Bob"));
}

TEST_P(chat_test, a_client_that_has_shut_down_its_output_still_receives) {
    auto all = meet(3);
    for (std::size_t i = 0; i < 200; ++i) all[0].say(numbered(i));
    EXPECT_EQ(all[2].lines_until("line 199").size(), 200U);
    // And is in the log of the other shard, too, once that has answered.
    static_cast<void>(host().counted());
    all[1].send("and with that, goodbye");
    all[1].finish();
    EXPECT_EQ(all[2].line(), "[Client 2]: and with that, goodbye");
    EXPECT_EQ(all[2].line(), "* Client 2 has left");
    for (std::size_t i = 0; i < 200; ++i) {
        ASSERT_EQ(all[1].line(), "[Client 1]: " + numbered(i));
    }
    EXPECT_EQ(all[1].line(), "(end)");
}

TEST_P(chat_test, a_reset_in_mid_line_says_nothing) {
    allowed().framing = wire::framing::line;
    auto all = meet(3);
    all[1].send("whole\nhalf a li");
    EXPECT_EQ(all[0].line(), "[Client 2]: whole");
    all[1].reset();
    EXPECT_EQ(all[0].line(), "* Client 2 has left");
    all[2].say("on we go");
    EXPECT_EQ(all[0].line(), "[Client 3]: on we go");
}

TEST_P(chat_test, two_hundred_who_come_and_go_leave_nothing) {
    auto all = meet(1);
    for (std::size_t i = 0; i < 200; ++i) {
        session other = come();
        if (i % 2 == 0) {
            EXPECT_THAT(other.line(), StartsWith("* welcome"));
        }
        if (i % 3 == 0) other.send("half");
        if (i % 5 == 0) other.say("/join attic");
        if (i % 4 == 0) {
            other.reset();
        } else {
            other.close();
        }
    }
    std::size_t gone = 0;
    while (gone < 200) {
        const auto line = all[0].line();
        ASSERT_FALSE(session::is_over(line)) << gone;
        if (line.ends_with(" has left")) ++gone;
        // Who goes to the attic leaves the lobby by that.
    }
    EXPECT_EQ(host().counted().connected, 201U);
    all[0].say("/rooms");
    EXPECT_EQ(all[0].line(), "* rooms: lobby (1)");
}

/// What a slow reader got: how many lines, and how many the server said it had missed.
struct compute_counters {
    std::size_t received = 0;
    std::size_t missed = 0;
    std::size_t gaps = 0;
    std::size_t gaps_in_a_row = 0;  ///< at most
};

/// Adds up `lines` of "[Client 1]: line N" and the like, which must rise.
compute_counters add_up(const std::vector<std::string>& lines) {
    compute_counters sum;
    std::size_t last = 0;
    std::size_t in_a_row = 0;
    bool first = true;
    for (const auto& line : lines) {
        std::size_t count = 0;
        if (std::sscanf(line.c_str(), "* you missed %zu message", &count) == 1) {
            sum.missed += count;
            ++sum.gaps;
            sum.gaps_in_a_row = std::max(sum.gaps_in_a_row, ++in_a_row);
            continue;
        }
        if (std::sscanf(line.c_str(), "[Client 1]: line %zu ", &count) != 1) continue;
        in_a_row = 0;
        ++sum.received;
        EXPECT_TRUE(first || count > last) << line << " after " << last;
        EXPECT_TRUE(line.ends_with(" end")) << line;
        first = false;
        last = count;
    }
    return sum;
}

TEST_P(chat_test, a_slow_reader_learns_exactly_how_much_it_missed) {
    allowed().framing = wire::framing::line;
    allowed().window = 64 * 1024;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    std::vector<session> slow;
    for (std::size_t i = 0; i < 2; ++i) {
        slow.push_back(come(i, true));
        EXPECT_THAT(slow.back().line(), StartsWith("* welcome"));
        EXPECT_THAT(speaker.line(), HasSubstr(" has joined"));
        if (i > 0) {
            EXPECT_EQ(slow[0].line(), "* Client 3 has joined");
        }
    }
    constexpr std::size_t count = 100'000;
    std::string block;
    for (std::size_t i = 0; i < count; ++i) {
        block += numbered(i) + std::string(i % 90, 'x') + " end\n";
        if (block.size() > 100'000) speaker.send(std::exchange(block, {}));
    }
    speaker.send(block + "/nick Ann\n");
    EXPECT_EQ(speaker.line(), "* you are now Ann");
    for (session& g : slow) {
        const auto sum = add_up(g.lines_until("is now Ann"));
        EXPECT_GT(sum.gaps, 0U);
        // A gap is reported once, however often the window passed meanwhile.
        EXPECT_LE(sum.gaps_in_a_row, 2U);
        EXPECT_EQ(sum.received + sum.missed, count);
    }
    const auto counted = host().counted();
    EXPECT_GT(counted.skipped, 0U);
    EXPECT_EQ(counted.members, 3U);
}

TEST_P(chat_test, a_slow_reader_is_shown_out_where_that_is_the_policy) {
    allowed().framing = wire::framing::line;
    allowed().window = 64 * 1024;
    allowed().slow = slow_policy::disconnect;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    session slow = come(1, true);
    EXPECT_THAT(slow.line(), StartsWith("* welcome"));
    EXPECT_THAT(speaker.line(), HasSubstr(" has joined"));
    std::size_t count = 0;
    const std::string filling(90, 'x');
    std::thread speaks{[&] {
        // It gives up its place within the parting time, so this ends.
        while (host().counted().members == 2) {
            std::string block;
            for (int i = 0; i < 1000; ++i) block += numbered(count++) + filling + " end\n";
            speaker.send(block);
        }
    }};
    EXPECT_EQ(speaker.line(), "* Client 2 has left");
    speaks.join();
    const auto lines = slow.lines_to_end();
    add_up(lines);
    ASSERT_GE(lines.size(), 3U);
    EXPECT_EQ(lines.back(), "(end)");
    EXPECT_EQ(lines[lines.size() - 2],
              "* you have to go: you are more than 64 KiB behind, and this "
              "server does not wait; come "
              "back when you can read faster");
    EXPECT_EQ(host().counted().too_slow, 1U);
}

TEST_P(chat_test, a_client_that_never_reads_is_closed_and_a_silent_one_is_not) {
    allowed().framing = wire::framing::line;
    allowed().window = 64 * 1024;
    allowed().write_deadline = 200ms;
    auto all = meet(2);
    session deaf = come(1, true);
    for (session& g : all) EXPECT_EQ(g.line(), "* Client 3 has joined");
    const std::string block(90'000, 'x');
    std::string lines;
    for (std::size_t at = 0; at < block.size(); at += 1000) lines += block.substr(0, 999) + "\n";
    std::thread listens{[&] {
        while (!session::is_over(all[1].line())) {
        }
    }};
    while (host().counted().members == 3) all[0].send(lines);
    EXPECT_EQ(all[0].line(), "* Client 3 has left");
    EXPECT_EQ(host().counted().too_silent, 1U);
    // This one has said and taken nothing for many deadlines, for there was nothing to take.
    session silent = come(0);
    EXPECT_THAT(silent.line(), StartsWith("* welcome"));
    EXPECT_EQ(all[0].line(), "* Client 4 has joined");
    session deaf_too = come(1, true);
    EXPECT_EQ(all[0].line(), "* Client 5 has joined");
    EXPECT_EQ(silent.lines_until("Client 5").back(), "* Client 5 has joined");
    all[1].finish();
    listens.join();
    EXPECT_EQ(all[0].line(), "* Client 2 has left");
}

TEST_P(chat_test, the_rate_holds_back_and_loses_nothing) {
    allowed().rate = 100;
    allowed().burst = 5;
    auto all = meet(2);
    constexpr std::size_t count = 40;
    std::string glued;
    for (std::size_t i = 0; i < count; ++i) glued += numbered(i) + "\n";
    const auto before = std::chrono::steady_clock::now();
    all[0].send(glued + "goodbye");
    all[0].finish();
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(all[1].line(), "[Client 1]: " + numbered(i));
    EXPECT_EQ(all[1].line(), "[Client 1]: goodbye");
    EXPECT_GE(std::chrono::steady_clock::now() - before, 350ms);
    EXPECT_EQ(all[1].line(), "* Client 1 has left");
    EXPECT_GE(host().counted().held_back, 1U);
}

TEST_P(chat_test, the_rate_of_one_holds_back_no_other) {
    allowed().rate = 0.001;
    allowed().burst = 2;
    auto all = meet(3);
    all[0].send("one\ntwo\nthree\nfour\n");
    EXPECT_EQ(all[1].line(), "[Client 1]: one");
    EXPECT_EQ(all[1].line(), "[Client 1]: two");
    all[2].say("me too");
    EXPECT_EQ(all[1].line(), "[Client 3]: me too");
    EXPECT_THAT(all[0].line(), StartsWith("* not so fast: this server takes 0.001 lines a second"));
    EXPECT_EQ(all[0].line(), "[Client 3]: me too");
}

TEST_P(chat_test, in_a_large_room_comings_and_goings_are_not_announced) {
    allowed().presence = 2;
    auto all = meet(2);
    session third = come();
    EXPECT_THAT(third.line(), StartsWith("* welcome"));
    third.say("hello");
    EXPECT_EQ(all[0].line(), "[Client 3]: hello");
    EXPECT_EQ(all[1].line(), "[Client 3]: hello");
    third.say("/nick Carl");
    EXPECT_EQ(all[0].line(), "* Client 3 is now Carl");
    EXPECT_EQ(all[1].line(), "* Client 3 is now Carl");
    third.say("/quit");
    EXPECT_EQ(third.lines_to_end().back(), "(end)");
    all[0].say("gone?");
    EXPECT_EQ(all[1].line(), "[Client 1]: gone?");
}

TEST_P(chat_test, the_operator_sees_it_all) {
    auto all = meet(2);
    all[0].say("hello \x1b");
    EXPECT_EQ(all[1].line(), "[Client 1]: hello \\x1b");
    all[0].say("/nick Ann");
    EXPECT_EQ(all[1].line(), "* Client 1 is now Ann");
    all[0].say("/me waves");
    EXPECT_EQ(all[1].line(), "*Ann waves*");
    all[0].say("/msg Client 2 psst");
    EXPECT_EQ(all[1].line(), "[Ann -> you]: psst");
    all[0].close();
    EXPECT_EQ(all[1].line(), "* Ann has left");
    host().stop();
    all.clear();
    static_cast<void>(host().end());
    // What happens on two shards at once has no order.
    EXPECT_THAT(seen.text(), HasSubstr("[Client 1]: hello \\x1b\n"));
    EXPECT_THAT(seen.text(), HasSubstr("<< Client 1 is now Ann >>\n*Ann waves*\n"));
    EXPECT_THAT(seen.text(), HasSubstr("<< Client 1 connected from 127.0.0.1:"));
    EXPECT_THAT(seen.text(), HasSubstr("<< Ann disconnected >>\n"));
    EXPECT_THAT(seen.text(), HasSubstr("<< Client 2 disconnected >>\n"));
    EXPECT_THAT(seen.text(), ::testing::Not(HasSubstr("psst")));
}

TEST_P(chat_test, counts_add_up) {
    allowed().history = 0;
    auto all = meet(4);
    constexpr std::size_t lines = 100;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < lines; ++i) {
        for (const session& g : all) g.say(numbered(i));
        bytes += all.size() * numbered(i).size();
    }
    std::size_t read = 0;
    for (session& g : all) {
        for (std::size_t i = 0; i < 3 * lines; ++i) read += g.line().size() + 1;
    }
    all[0].send("\n\n/who\n/msg Client 2 psst\n");
    EXPECT_THAT(all[0].line(), StartsWith("* in lobby"));
    EXPECT_EQ(all[0].line(), "* told Client 2");
    EXPECT_EQ(all[1].line(), "[Client 1 -> you]: psst");
    const auto counted = host().counted();
    EXPECT_EQ(counted.members, 4U);
    EXPECT_EQ(counted.connected, 4U);
    EXPECT_EQ(counted.messages, 4 * lines);
    EXPECT_EQ(counted.message_bytes, bytes);
    // Also the joins: one member received the second's, two the third's, three the fourth's.
    EXPECT_EQ(counted.deliveries, (4 * 3 * lines) + 6);
    EXPECT_GT(counted.sent_bytes, read);
    EXPECT_EQ(counted.empty_lines, 2U);
    EXPECT_EQ(counted.commands, 2U);
    EXPECT_EQ(counted.whispers, 1U);
    EXPECT_GT(counted.log_bytes, 0U);
    for (const std::uint64_t never :
         {counted.refused.get(), counted.skipped.get(), counted.held_back.get(),
          counted.private_lost.get(), counted.too_slow.get(), counted.too_silent.get(),
          counted.too_long.get(), counted.broken.get()}) {
        EXPECT_EQ(never, 0U);
    }
    all.clear();
    host().stop();
    const auto total = host().end();
    EXPECT_EQ(total.members, 0U);
    EXPECT_EQ(total.messages, 4 * lines);
    EXPECT_EQ(total.connected, 4U);
}

TEST_P(chat_test, deliveries_and_skipped_lines_are_what_was_said) {
    allowed().framing = wire::framing::line;
    allowed().window = 64 * 1024;
    allowed().history = 0;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    session slow = come(1, true);
    EXPECT_EQ(speaker.line(), "* Client 2 has joined");
    constexpr std::size_t count = 20'000;
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += numbered(i) + std::string(50, 'x') + " end\n";
    speaker.send(all + "/nick Ann\n");
    EXPECT_EQ(speaker.line(), "* you are now Ann");
    const auto sum = add_up(slow.lines_until("is now Ann"));
    const auto counted = host().counted();
    EXPECT_EQ(counted.skipped, sum.missed);
    // And two announcements.
    EXPECT_EQ(counted.deliveries + counted.skipped, count + 2);
}

TEST_P(chat_test, private_lines_that_are_not_read_are_bounded) {
    allowed().max_private = 4096;
    session busy = come(0);
    EXPECT_THAT(busy.line(), StartsWith("* welcome"));
    session deaf = come(1, true);
    EXPECT_EQ(busy.line(), "* Client 2 has joined");
    const std::string line = "/msg Client 2 " + std::string(1000, 'x');
    std::size_t sent = 0;
    while (host().counted().private_lost == 0 && sent < 50'000) {
        for (int i = 0; i < 100; ++i) busy.say(line);
        for (int i = 0; i < 100; ++i) EXPECT_EQ(busy.line(), "* told Client 2");
        sent += 100;
    }
    EXPECT_GT(host().counted().private_lost, 0U);
    deaf.finish();
    EXPECT_EQ(busy.line(), "* Client 2 has left");
    EXPECT_EQ(deaf.lines_to_end().back(), "(end)");
}

TEST_P(chat_test, a_stop_is_announced_to_all_and_admits_no_more) {
    auto all = meet(3);
    host().stop();
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto lines = all[i].lines_to_end();
        ASSERT_GE(lines.size(), 2U);
        EXPECT_EQ(lines[lines.size() - 2], "* the server is going down");
        EXPECT_EQ(lines.back(), "(end)");
    }
    all.clear();
    EXPECT_EQ(host().end().members, 0U);
}

TEST_P(chat_test, a_stop_lets_members_read_what_they_have) {
    allowed().framing = wire::framing::line;
    allowed().window = 8 << 20;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    session slow = come(1, true);
    EXPECT_THAT(slow.line(), StartsWith("* welcome"));
    EXPECT_EQ(speaker.line(), "* Client 2 has joined");
    // More than the kernel keeps for a connection, less than the window.
    constexpr std::size_t count = 60'000;
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += numbered(i) + std::string(90, 'x') + " end\n";
    speaker.send(all + "/msg Client 2 that was all\n/nick Ann\n");
    EXPECT_EQ(speaker.line(), "* told Client 2");
    EXPECT_EQ(speaker.line(), "* you are now Ann");
    host().stop();
    EXPECT_EQ(speaker.lines_to_end().front(), "* the server is going down");
    const auto lines = slow.lines_to_end();
    const auto sum = add_up(lines);
    EXPECT_EQ(sum.received, count);
    EXPECT_EQ(sum.missed, 0U);
    ASSERT_GE(lines.size(), 2U);
    EXPECT_EQ(lines[lines.size() - 2], "* the server is going down");
    EXPECT_EQ(lines.back(), "(end)");
    slow.close();
    speaker.close();
    static_cast<void>(host().end());
}

/// A member that reads nothing, and has been sent more than the kernel keeps.
session deafened(session& speaker, session deaf) {
    EXPECT_THAT(speaker.line(), HasSubstr(" has joined"));
    std::string all;
    for (std::size_t i = 0; i < 60'000; ++i) all += numbered(i) + std::string(90, 'x') + "\n";
    speaker.send(all + "/nick Ann\n");
    EXPECT_EQ(speaker.line(), "* you are now Ann");
    return deaf;
}

TEST_P(chat_test, a_stop_waits_no_longer_than_the_grace) {
    allowed().window = 8 << 20;
    options.grace = 300ms;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    const session deaf = deafened(speaker, come(1, true));
    const auto before = std::chrono::steady_clock::now();
    host().stop();
    EXPECT_EQ(host().end().members, 0U);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
}

TEST_P(chat_test, a_second_stop_does_not_wait) {
    allowed().window = 8 << 20;
    options.grace = 1h;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    const session deaf = deafened(speaker, come(1, true));
    host().stop(2);
    EXPECT_EQ(host().end().members, 0U);
}

TEST_P(chat_test, a_second_stop_is_obeyed_where_members_are_left) {
    allowed().window = 8 << 20;
    options.grace = 1h;
    session speaker = come(0);
    EXPECT_THAT(speaker.line(), StartsWith("* welcome"));
    const session deaf = deafened(speaker, come(1, true));
    host().stop();
    EXPECT_EQ(speaker.lines_to_end().back(), "(end)");
    speaker.close();
    while (host().counted().members > 1) std::this_thread::yield();
    host().stop();
    EXPECT_EQ(host().end().members, 0U);
}

TEST_P(chat_test, who_comes_while_it_stops_does_not_hold_it_up) {
    options.grace = 1h;
    auto all = meet(1);
    std::vector<session> late;
    // They are connected, and not accepted yet by one shard, when it learns of the stop.
    host().on_shard(0, [&] {
        for (std::size_t i = 0; i < 20; ++i) late.emplace_back(host().port(i));
        host().stop();
    });
    for (session& g : late) EXPECT_THAT(g.lines_to_end().back(), AnyOf("(end)", "(reset)"));
    EXPECT_EQ(all[0].lines_to_end().back(), "(end)");
    late.clear();
    all.clear();
    EXPECT_EQ(host().end().members, 0U);
}

}  // namespace
}  // namespace sluice::chat
