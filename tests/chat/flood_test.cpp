// Members that ask too much, come under a name, look like others, or say what looks like a command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/chat/rig.hpp"

namespace sluice::chat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class chat_flood : public chat_test {};

INSTANTIATE_TEST_SUITE_P(on, chat_flood, ::testing::ValuesIn(every_chat()), chat_name);

// FAULTS 40. What a turn does for commands is bounded, so that the others' turns come round: judged
// by what is left of the flood after forty lines and their answers, for time is not the same
// everywhere. It is all but a thirtieth; nothing where a turn has no bound.
TEST_P(chat_flood, a_flood_of_commands_takes_a_share_of_each_turn) {
    constexpr std::size_t crowd = 600;
    allowed().presence = 0;
    allowed().commands_a_turn = 8;
    std::vector<session> all;
    for (std::size_t i = 0; i < crowd; ++i) {
        all.push_back(come(0));
        ASSERT_THAT(all.back().line(), StartsWith("* welcome"));
    }
    session ann = come(0);
    session bob = come(0);
    ASSERT_THAT(ann.line(), StartsWith("* welcome"));
    ASSERT_THAT(bob.line(), StartsWith("* welcome"));
    constexpr std::size_t commands = 30'000;
    std::string flood;
    for (std::size_t i = 0; i < commands / 3; ++i)
        flood += "/who\n/rooms\n/msg nobody at all hears this\n";
    std::thread flooder{[&] { all[0].send(flood); }};
    std::thread another{[&] { all[1].send(flood); }};
    for (int i = 0; i < 20; ++i) {
        ann.say("ping");
        ASSERT_EQ(bob.line(), "[Client 601]: ping");
        bob.say("pong");
        ASSERT_EQ(ann.line(), "[Client 602]: pong");
    }
    const auto counted = host().counted();
    EXPECT_GT(counted.put_off, 0U);
    EXPECT_LT(counted.commands, commands);
    flooder.join();
    another.join();
    // A command of another member waits its turn, and no longer.
    ann.say("/who");
    EXPECT_THAT(ann.line(), AllOf(StartsWith("* in lobby (602): Client 1, "),
                                  HasSubstr("Client 200 and 402 more")));
}

TEST_P(chat_flood, commands_have_a_rate_of_their_own) {
    allowed().command_rate = 0.001;
    allowed().command_burst = 2;
    auto all = meet(2);
    all[0].send("/rooms\n/who\n/help\nand this waits, too\n");
    EXPECT_THAT(all[0].line(), StartsWith("* rooms:"));
    EXPECT_THAT(all[0].line(), StartsWith("* in lobby"));
    EXPECT_THAT(all[0].line(),
                StartsWith("* not so fast: this server takes 0.001 commands a second"));
    all[1].say("still here");
    EXPECT_EQ(all[0].line(), "[Client 2]: still here");
    EXPECT_EQ(host().counted().held_back, 1U);
}

TEST_P(chat_flood, a_name_given_on_arrival_is_one_line_for_the_room) {
    allowed().introduction = 1h;
    allowed().framing = wire::framing::line;
    session ann = come();
    EXPECT_THAT(ann.line(), StartsWith("* welcome"));
    ann.say("/help");
    static_cast<void>(ann.lines_until("anything else"));
    session bob = come();
    EXPECT_THAT(bob.line(), StartsWith("* welcome, you are Client 2"));
    bob.send("/nick Bob\n/join attic\n/join lobby\nhello\n");
    EXPECT_EQ(ann.line(), "* Bob has joined");
    EXPECT_EQ(ann.line(), "[Bob]: hello");
    // One that leaves before it was introduced was never here.
    session brief = come();
    EXPECT_THAT(brief.line(), StartsWith("* welcome"));
    brief.say("/nick Brief");
    brief.finish();
    EXPECT_EQ(brief.lines_to_end().back(), "(end)");
    bob.say("/nick Rob");
    EXPECT_EQ(ann.line(), "* Bob is now Rob");
}

TEST_P(chat_flood, a_newcomer_that_says_nothing_is_announced_soon) {
    allowed().introduction = 20ms;
    session ann = come();
    EXPECT_THAT(ann.line(), StartsWith("* welcome"));
    session bob = come();
    EXPECT_THAT(bob.line(), StartsWith("* welcome"));
    EXPECT_EQ(ann.line(), "* Client 2 has joined");
    // A client that came later receives no announcement, however late it is made.
    ann.say("hello");
    EXPECT_EQ(bob.line(), "[Client 1]: hello");
}

TEST_P(chat_flood, lines_that_begin_with_a_slash_can_be_said) {
    allowed().framing = wire::framing::line;
    auto all = meet(2);
    using pair = std::pair<std::string, std::string>;
    for (const auto& [sent, received] :
         {pair{"/usr/bin/ls", "/usr/bin/ls"}, pair{"/usr/bin/ls -l /", "/usr/bin/ls -l /"},
          pair{"//text", "/text"}, pair{"//join is a command", "/join is a command"},
          pair{"// a comment", "// a comment"},
          pair{"/say /join is a command", "/join is a command"}, pair{"/say hello", "hello"},
          pair{"/who/is/this", "/who/is/this"},
          pair{"exit 3 was its status", "exit 3 was its status"}, pair{" exit", " exit"}}) {
        all[0].say(sent);
        EXPECT_EQ(all[1].line(), "[Client 1]: " + received);
    }
    all[0].say("/say");
    EXPECT_EQ(all[0].line(), "* say what: /say TEXT");
    all[0].say("/hmm what");
    EXPECT_THAT(all[0].line(), StartsWith("* there is no /hmm; /help lists what there is"));
    all[0].say("/quit now");
    EXPECT_EQ(all[0].line(), "* goodbye");
    all[1].say("exit");
    EXPECT_EQ(all[1].lines_to_end().back(), "(end)");
}

TEST_P(chat_flood, a_name_that_looks_like_anothers_is_refused_with_that_reason) {
    auto all = meet(2);
    all[0].say("/nick alice");
    EXPECT_EQ(all[0].line(), "* you are now alice");
    EXPECT_EQ(all[1].line(), "* Client 1 is now alice");
    all[1].say("/nick \u0430lice");
    EXPECT_EQ(all[1].line(),
              "* the name \u0430lice is taken: it looks like alice, who is here; "
              "choose another with /nick NAME");
    // A private line does not go to a member whose name only looks like that.
    all[1].say("/msg \u0430lice psst");
    EXPECT_THAT(all[1].line(), StartsWith("* nobody here has that name"));
    all[1].say("/msg ALICE psst");
    EXPECT_EQ(all[1].line(), "* told alice");
    EXPECT_EQ(host().counted().names_refused, 1U);
}

}  // namespace
}  // namespace sluice::chat
