// Turns with one peer: what is shown, what is sent, and every way out, on every engine.
#include "sluice/talk/conversation.hpp"

#include <gmock/gmock.h>
#include <sys/socket.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"
#include "tests/talk/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using talk::beginner;
using talk::conversation_options;
using talk::parting;
using wire::framing;

class conversation : public engine_test {
 protected:
    parting talk(test_ui& ui, unique_fd socket, conversation_options o = {},
                 beginner first = beginner::they) {
        return run([&]() -> coro::task<parting> {
            net::connection peer{engine(), std::move(socket)};
            talk::conversation talking{peer, "Client 1", ui.get(), o};
            coro::context turns{co_await coro::this_context()};
            co_return co_await talking.run(first, turns);
        });
    }
};
INSTANTIATE_TEST_SUITE_P(on, conversation, ::testing::ValuesIn(every_engine()), engine_name);

// What needs two things to be waited for at a time.
class conversation_loop : public conversation {};
INSTANTIATE_TEST_SUITE_P(on, conversation_loop, ::testing::ValuesIn(every_loop()), engine_name);

// ----- turns

TEST_P(conversation, goes_in_turn_however_early_each_side_spoke) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\nhow are you\nexit\n");
    ui.type("hi\nfine\nand you\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: hello\n[Client 1]: how are you\n");
    EXPECT_EQ(read_to_end(theirs.get()), "hi\nfine\n");
    EXPECT_EQ(ui.notes, "[Client 1] ended the conversation\n");
    EXPECT_EQ(ui.errors, "");
}

TEST_P(conversation, begins_with_us_when_we_called) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "welcome\nexit\n");
    ui.type("knock\nthanks\n");
    EXPECT_EQ(talk(ui, std::move(ours), {}, beginner::we), parting::they_said_exit);
    EXPECT_EQ(ui.shown(), "[Client 1]: welcome\n") << "nobody is told that we connected";
    EXPECT_EQ(read_to_end(theirs.get()), "knock\nthanks\n");
}

TEST_P(conversation, a_line_beyond_those_needed_stays_for_the_next) {
    test_ui ui{engine()};
    ui.type("one\ntwo\n");
    for (const auto* expected : {"one\n", "two\n"}) {
        auto [ours, theirs] = local_pair();
        write_all(theirs.get(), "hello\nexit\n");
        EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
        EXPECT_EQ(read_to_end(theirs.get()), expected);
    }
}

TEST_P(conversation, asks_for_a_line_only_when_it_is_our_turn) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\nexit\n");
    ui.type("hi\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    EXPECT_EQ(ui.prompts, 1);
}

TEST_P(conversation, a_message_may_come_a_byte_at_a_time) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    const auto text = "grüße, мир 🌍\r\nexit\n"s;
    std::vector<steps::step> bytes;
    bytes.reserve(text.size());
    for (const char& c : text) {
        bytes.emplace_back([&c, fd = theirs.get()] { write_all(fd, {&c, 1}); });
    }
    ui.type("hi\n");
    steps arriving{engine(), std::move(bytes)};
    EXPECT_EQ(talk(ui, std::move(ours), {.framing = framing::line}), parting::they_said_exit);
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: grüße, мир 🌍\n");
    EXPECT_EQ(read_to_end(theirs.get()), "hi\n");
}

TEST_P(conversation, what_a_terminal_would_obey_is_written_out) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "\x1b[2J\xff\r!\nexit\n");
    ui.type("\x1b[1m\xfe\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: \\x1b[2J\\xff\\x0d!\n");
    EXPECT_EQ(read_to_end(theirs.get()), "\x1b[1m\xfe\n") << "what is sent is not touched";
}

TEST_P(conversation, an_empty_line_is_a_message) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "\nexit\n");
    ui.type("\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: \n");
    EXPECT_EQ(read_to_end(theirs.get()), "\n");
}

// ----- framing

TEST_P(conversation, answers_without_a_line_end_who_speaks_without) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    ui.type("hi\nand now\n");
    std::thread peer{[fd = theirs.get()] {
        write_all(fd, "hello");
        EXPECT_EQ(read_exactly(fd, 2), "hi");
        write_all(fd, "still so");
        EXPECT_EQ(read_exactly(fd, 7), "and now");
        write_all(fd, "exit");
    }};
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    peer.join();
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: hello\n[Client 1]: still so\n");
    EXPECT_EQ(read_to_end(theirs.get()), "");
}

TEST_P(conversation, a_late_line_end_is_answered_with_the_one_that_is_due) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    ui.type("hi\nand now\n");
    std::thread peer{[fd = theirs.get()] {
        write_all(fd, "hello");
        EXPECT_EQ(read_exactly(fd, 2), "hi");
        write_all(fd, "\n");
        EXPECT_EQ(read_exactly(fd, 1), "\n");
        write_all(fd, "a li");
        std::this_thread::sleep_for(2 * wire::first_pause);
        write_all(fd, "ne\n");
        EXPECT_EQ(read_exactly(fd, 8), "and now\n");
        write_all(fd, "exit\n");
    }};
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    peer.join();
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: hello\n[Client 1]: a line\n");
    EXPECT_EQ(read_to_end(theirs.get()), "");
}

TEST_P(conversation, in_raw_every_read_is_a_message_and_nothing_is_added) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    ui.type("hi\n");
    std::thread peer{[fd = theirs.get()] {
        write_all(fd, "hello\n");
        EXPECT_EQ(read_exactly(fd, 2), "hi");
        write_all(fd, "exit\n");
    }};
    EXPECT_EQ(talk(ui, std::move(ours), {.framing = framing::raw}), parting::they_said_exit);
    peer.join();
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: hello\n");
    EXPECT_EQ(read_to_end(theirs.get()), "");
}

TEST_P(conversation, an_empty_message_without_a_line_end_is_typed_again) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello");
    ui.type("\nhi\nexit\n");
    ::shutdown(theirs.get(), SHUT_WR);
    EXPECT_EQ(talk(ui, std::move(ours), {.framing = framing::raw}), parting::they_went_away);
    EXPECT_EQ(read_to_end(theirs.get()), "hi");
    EXPECT_THAT(ui.notes, ::testing::HasSubstr("an empty message"));
}

// ----- exit

TEST_P(conversation, our_exit_is_sent_and_ends_it) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    ui.type("exit\nnever sent\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::we_said_exit);
    EXPECT_EQ(read_to_end(theirs.get()), "exit\n");
    EXPECT_EQ(ui.notes, "you ended the conversation\n");
}

TEST_P(conversation, our_exit_arrives_though_the_peer_goes_on_talking) {
    auto [ours, theirs] = tcp_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\nout of turn\nonce more\n");
    ui.type("exit\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::we_said_exit);
    EXPECT_EQ(read_exactly(theirs.get(), 100), "exit\n") << "and no reset after it";
}

TEST_P(conversation, only_the_bare_word_is_an_exit) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "Exit\nexit \n exit\nexit\r\n");
    ui.type("exits\nEXIT\nexit now\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    EXPECT_EQ(ui.shown(),
              "[Client 1] connected\n[Client 1]: Exit\n[Client 1]: exit \n[Client 1]:  exit\n");
    EXPECT_EQ(read_to_end(theirs.get()), "exits\nEXIT\nexit now\n");
}

TEST_P(conversation, the_end_of_our_input_is_an_exit_after_the_last_line) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\nmore\n");
    ui.type("no line end");
    ui.end_input();
    EXPECT_EQ(talk(ui, std::move(ours)), parting::input_ended);
    EXPECT_EQ(read_to_end(theirs.get()), "no line end\nexit\n");
    EXPECT_EQ(ui.notes, "your input is at its end: you ended the conversation\n");
}

TEST_P(conversation, without_a_keyboard_the_input_is_at_its_end) {
    auto [ours, theirs] = local_pair();
    auto [screen, watcher] = local_pair();
    write_all(theirs.get(), "hello\n");
    const auto output = term::console::open(engine(), screen.get());
    ASSERT_TRUE(output);
    term::terminal_ui ui{nullptr, **output, {}, 100};
    const auto how = run([&]() -> coro::task<parting> {
        net::connection peer{engine(), std::move(ours)};
        talk::conversation talking{peer, "Client 1", ui, {}};
        coro::context turns{co_await coro::this_context()};
        co_return co_await talking.run(beginner::they, turns);
    });
    EXPECT_EQ(how, parting::input_ended);
    EXPECT_EQ(read_to_end(theirs.get()), "exit\n");
    EXPECT_EQ(read_what_is_there(watcher.get()), "[Client 1] connected\n[Client 1]: hello\n");
}

// ----- a peer that goes away

TEST_P(conversation, one_that_our_answer_does_not_reach_has_gone_away) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    theirs.reset();
    ui.type("hi\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_went_away);
    EXPECT_EQ(ui.errors, "[Client 1] went away during your turn, without 'exit' (broken pipe)\n");
}

TEST_P(conversation, one_that_only_stops_sending_still_reads_what_we_answer) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\nbye");
    ::shutdown(theirs.get(), SHUT_WR);
    ui.type("hi\nfarewell\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_went_away);
    EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: hello\n[Client 1]: bye\n");
    EXPECT_EQ(read_to_end(theirs.get()), "hi\nfarewell\n");
    EXPECT_EQ(ui.errors, "[Client 1] went away during its own turn, without 'exit'\n");
}

TEST_P(conversation, a_reset_is_named) {
    auto [ours, theirs] = tcp_pair();
    test_ui ui{engine()};
    steps leaving{engine(),
                  {[] {},
                   [&, fd = theirs.get()] {
                       reset_at_close(fd);
                       theirs.reset();
                   }}};
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_went_away);
    EXPECT_EQ(ui.errors,
              "[Client 1] went away during its own turn, without 'exit' (connection reset by "
              "peer)\n");
}

TEST_P(conversation_loop, who_leaves_while_we_think_is_noticed_at_once) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    steps leaving{engine(), {[] {}, [] {}, [&] { theirs.reset(); }}};
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_went_away);
    EXPECT_EQ(ui.errors, "[Client 1] went away during your turn, without 'exit'\n");
}

TEST_P(conversation_loop, who_says_exit_out_of_turn_and_leaves_is_noticed_at_once) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    steps leaving{engine(),
                  {[] {}, [] {},
                   [&] {
                       write_all(theirs.get(), "exit\n");
                       theirs.reset();
                   }}};
    EXPECT_EQ(talk(ui, std::move(ours)), parting::they_said_exit);
    EXPECT_EQ(ui.errors, "");
}

TEST_P(conversation_loop, what_is_said_while_we_think_counts_later) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "one\n");
    steps happening{
        engine(),
        {[] {}, [&] { write_all(theirs.get(), "two\nthr"); },
         [&] { EXPECT_EQ(ui.shown(), "[Client 1] connected\n[Client 1]: one\n"); },
         [&] { write_all(theirs.get(), "ee\nexit\n"); }, [] {}, [&] { ui.type("a\nb\nc\n"); }}};
    EXPECT_EQ(talk(ui, std::move(ours), {.framing = framing::line}), parting::they_said_exit);
    EXPECT_EQ(ui.shown(), "[Client 1]: two\n[Client 1]: three\n");
    EXPECT_EQ(read_to_end(theirs.get()), "a\nb\nc\n");
}

TEST_P(conversation_loop, a_flood_out_of_turn_is_left_in_the_kernel) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    std::size_t sent = 0;
    std::size_t sent_last = 1;
    write_all(theirs.get(), "hello\n");
    const auto push = [&] {
        const std::string lines(4096, '\n');
        sent_last = 0;
        for (;;) {
            const auto n =
                ::send(theirs.get(), lines.data(), lines.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n <= 0) break;
            sent_last += static_cast<std::size_t>(n);
        }
        sent += sent_last;
    };
    std::vector<steps::step> pushing(50, push);
    pushing.emplace_back([&] { ui.type("exit\n"); });
    steps happening{engine(), std::move(pushing)};
    EXPECT_EQ(talk(ui, std::move(ours)), parting::we_said_exit);
    EXPECT_EQ(sent_last, 0U) << "of " << sent << " bytes: somebody goes on reading";
}

// ----- too much

TEST_P(conversation, a_message_over_the_limit_is_refused_in_words) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "short enough\n" + std::string(100'000, 'x'));
    ui.type("hi\n");
    steps going{engine(), {[] {}, [] {}, [&] { ::shutdown(theirs.get(), SHUT_WR); }}};
    EXPECT_EQ(talk(ui, std::move(ours), {.max_line = 20}), parting::they_talk_long);
    EXPECT_EQ(read_to_end(theirs.get()), "hi\nerror: message longer than 20 bytes\n");
    EXPECT_THAT(ui.errors, ::testing::HasSubstr("longer than 20 bytes"));
}

TEST_P(conversation, a_message_of_exactly_the_limit_is_none_too_many) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine(), 5};
    write_all(theirs.get(), "12345\r\nexit\n");
    ui.type("54321\n");
    EXPECT_EQ(talk(ui, std::move(ours), {.max_line = 5}), parting::they_said_exit);
    EXPECT_EQ(read_to_end(theirs.get()), "54321\n");
}

TEST_P(conversation, our_own_line_over_the_limit_is_left_out_and_that_is_said) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine(), 20};
    write_all(theirs.get(), "hello\n");
    ui.type(std::string(50'000, 'x') + "\n" + std::string(21, 'y') + "\r\n" + std::string(20, 'z') +
            "\r\n");
    write_all(theirs.get(), "exit\n");
    EXPECT_EQ(talk(ui, std::move(ours), {.max_line = 20}), parting::they_said_exit);
    EXPECT_EQ(read_to_end(theirs.get()), std::string(20, 'z') + "\n");
    EXPECT_THAT(ui.errors, ::testing::HasSubstr("longer than 20 bytes"));
}

// ----- a screen that goes away

TEST_P(conversation, a_screen_that_cannot_be_written_ends_it_with_an_exit) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    ui.close_screen();
    write_all(theirs.get(), "hello\n");
    EXPECT_EQ(talk(ui, std::move(ours)), parting::screen_failed);
    EXPECT_EQ(read_to_end(theirs.get()), "exit\n");
    EXPECT_EQ(ui.errors,
              "cannot write to standard output (broken pipe): the conversation is over\n");
}

// ----- echo

TEST_P(conversation, an_echo_answers_with_the_same_bytes_without_the_operator) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    ui.type("not asked for\n");
    write_all(theirs.get(), "hello\n\n\xff\x1b\r\r\nexit\n");
    EXPECT_EQ(talk(ui, std::move(ours), {.echo = true}), parting::they_said_exit);
    EXPECT_EQ(read_to_end(theirs.get()), "hello\n\n\xff\x1b\r\n");
    EXPECT_EQ(ui.prompts, 0);
    EXPECT_EQ(ui.left_in_keyboard(), "not asked for\n");
}

TEST_P(conversation, a_peer_silent_for_long_or_in_mid_message_is_sent_exit) {
    for (const std::string_view said : {"", "half a mess"}) {
        auto [ours, theirs] = local_pair();
        test_ui ui{engine()};
        write_all(theirs.get(), said);
        EXPECT_EQ(
            talk(ui, std::move(ours), {.framing = framing::line, .echo = true, .idle_time = 20ms}),
            parting::they_keep_silent);
        EXPECT_EQ(read_to_end(theirs.get()), "exit\n");
        EXPECT_THAT(ui.errors, ::testing::HasSubstr("nothing for 0.02 s (--idle-time)"));
    }
}

TEST_P(conversation, who_reads_no_answer_for_long_is_left) {
    auto [ours, theirs] = local_pair();
    fill(ours.get());
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    EXPECT_EQ(talk(ui, std::move(ours), {.echo = true, .idle_time = 20ms}),
              parting::they_keep_silent);
}

TEST_P(conversation, a_telnet_has_its_timing_mark_at_once) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\r\n\xff\xf4\xff\xfd\x06");
    ::shutdown(theirs.get(), SHUT_WR);
    ui.type("hi\n");
    talk(ui, std::move(ours));
    EXPECT_THAT(read_to_end(theirs.get()), ::testing::HasSubstr(wire::timing_mark()));
}

TEST_P(conversation, a_raw_echo_changes_nothing_however_it_was_cut) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    const auto text = pattern(1000);
    steps arriving{engine(),
                   {[&] { write_all(theirs.get(), text.substr(0, 1)); },
                    [&] { write_all(theirs.get(), text.substr(1, 498)); },
                    [&] { write_all(theirs.get(), text.substr(499)); },
                    [&] { ::shutdown(theirs.get(), SHUT_WR); }}};
    EXPECT_EQ(talk(ui, std::move(ours), {.framing = framing::raw, .echo = true}),
              parting::they_went_away);
    EXPECT_EQ(read_to_end(theirs.get()), text);
}

// ----- asked to end

class interrupted_conversation : public conversation {
 protected:
    parting interrupt(test_ui& ui, unique_fd socket, conversation_options o = {}) {
        std::optional<coro::context> turns;
        std::vector<steps::step> asking(10, [] {});
        asking.emplace_back([&] { turns->cancel(); });
        steps happening{engine(), std::move(asking)};
        return run([&]() -> coro::task<parting> {
            net::connection peer{engine(), std::move(socket)};
            talk::conversation talking{peer, "Client 1", ui.get(), o};
            turns.emplace(co_await coro::this_context());
            const auto how = co_await talking.run(beginner::they, *turns);
            turns.reset();
            co_return how;
        });
    }
};
INSTANTIATE_TEST_SUITE_P(on, interrupted_conversation, ::testing::ValuesIn(every_engine()),
                         engine_name);

TEST_P(interrupted_conversation, says_exit_in_the_peers_turn) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    EXPECT_EQ(interrupt(ui, std::move(ours)), parting::interrupted);
    EXPECT_EQ(read_to_end(theirs.get()), "exit\n");
    EXPECT_EQ(ui.errors, "");
}

TEST_P(interrupted_conversation, says_exit_in_our_turn) {
    auto [ours, theirs] = local_pair();
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    EXPECT_EQ(interrupt(ui, std::move(ours)), parting::interrupted);
    EXPECT_EQ(read_to_end(theirs.get()), "exit\n");
}

TEST_P(interrupted_conversation, says_nothing_in_the_middle_of_a_message) {
    auto [ours, theirs] = local_pair();
    const auto before = fill(ours.get());
    test_ui ui{engine()};
    write_all(theirs.get(), "hello\n");
    ui.type("hi\n");
    EXPECT_EQ(interrupt(ui, std::move(ours)), parting::interrupted);
    EXPECT_EQ(read_to_end(theirs.get()), std::string(before, 'f'));
}

}  // namespace
}  // namespace sluice::test
