// Messages over a connection: whole ones, at their ends or at a pause, holding no more than needed.
#include "sluice/net/framed.hpp"

#include <sys/ioctl.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using messages = net::framed<net::connection>;

std::string shown_message(const result<std::optional<wire::message>>& found) {
    if (!found) return "(" + found.error().message() + ")";
    if (!*found) return "(end)";
    return std::string{(*found)->text} + ((*found)->terminated ? "\\n" : "");
}

class framed_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, framed_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(framed_contract, lines_end_at_newlines) {
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::line, 100};
        write_all(theirs.get(), "one\ntwo\r\n\nthr");
        for (const char* expected : {"one\\n", "two\\n", "\\n"}) {
            auto found = co_await m.next();
            EXPECT_EQ(shown_message(found), expected);
        }
        later.begin({[] {}, [&] { write_all(theirs.get(), "ee"); },
                     [&] {
                         write_all(theirs.get(), "\nrest");
                         theirs.reset();
                     }});
        for (const char* expected : {"three\\n", "rest", "(end)", "(end)"}) {
            auto found = co_await m.next();
            EXPECT_EQ(shown_message(found), expected);
        }
        EXPECT_TRUE(m.answers_terminated());
        co_await c.close();
    });
}

TEST_P(framed_contract, a_raw_message_is_what_one_read_brought) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::raw, 100};
        write_all(theirs.get(), "one\ntwo");
        auto both = co_await m.next();
        EXPECT_EQ(shown_message(both), "one\ntwo");
        write_all(theirs.get(), "three");
        theirs.reset();
        auto third = co_await m.next();
        EXPECT_EQ(shown_message(third), "three");
        auto end = co_await m.next();
        EXPECT_EQ(shown_message(end), "(end)");
        EXPECT_FALSE(m.answers_terminated());
        co_await c.close();
    });
}

TEST_P(framed_contract, a_pause_ends_a_message_without_an_end) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::automatic, 100};
        for (int i = 0; i < 4; ++i) {
            write_all(theirs.get(), "without");
            const auto before = io::clock::now();
            auto without = co_await m.next();
            EXPECT_EQ(shown_message(without), "without");
            const auto least = i < 3 ? wire::first_pause : wire::usual_pause;
            EXPECT_GE(io::clock::now() - before, least);
            EXPECT_FALSE(m.answers_terminated());
        }
        // What comes after the pause is the next message, whole.
        write_all(theirs.get(), "next\n");
        auto next = co_await m.next();
        EXPECT_EQ(shown_message(next), "next\\n");
        EXPECT_TRUE(m.answers_terminated());
        co_await c.close();
    });
}

TEST_P(framed_contract, a_line_may_pause_once_a_newline_has_come) {
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::automatic, 100};
        write_all(theirs.get(), "one\ntw");
        auto one = co_await m.next();
        EXPECT_EQ(shown_message(one), "one\\n");
        later.begin({[] {}, [&] { EXPECT_EQ(engine().timers().next(), io::never); },
                     [&] { write_all(theirs.get(), "o\n"); }});
        auto two = co_await m.next();
        EXPECT_EQ(shown_message(two), "two\\n");
        co_await c.close();
    });
}

TEST_P(framed_contract, keys_as_they_are_typed_are_a_line) {
    auto [ours, theirs] = local_pair();
    std::jthread person{[fd = theirs.get(), reader = ours.get()] {
        for (const char& key : "hi\r"s) {
            write_all(fd, {&key, 1});
            // Each is read before the next is typed, however late the reader runs.
            int unread = 0;
            while (::ioctl(reader, FIONREAD, &unread) == 0 && unread > 0) {
                std::this_thread::sleep_for(1ms);
            }
            // Longer than a busy machine keeps the reader from seeing that nothing follows.
            std::this_thread::sleep_for(6 * wire::first_pause);
        }
    }};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::automatic, 100, wire::sender::person};
        auto found = co_await m.next();
        EXPECT_EQ(shown_message(found), "hi\\n");
        co_await c.close();
    });
}

TEST_P(framed_contract, bytes_that_come_in_time_belong_to_the_message) {
    auto [ours, theirs] = local_pair();
    const std::string text = "a byte a turn, without a pause";
    std::vector<steps::step> bytes;
    for (const char& byte : text) bytes.emplace_back([&] { write_all(theirs.get(), {&byte, 1}); });
    bytes.emplace_back([&] { write_all(theirs.get(), "\n"); });
    const steps later{engine(), std::move(bytes)};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::automatic, 100};
        auto found = co_await m.next();
        EXPECT_EQ(shown_message(found), text + "\\n");
        co_await c.close();
    });
}

TEST_P(framed_contract, the_end_ends_a_message_at_once) {
    auto [ours, theirs] = local_pair();
    write_all(theirs.get(), "last");
    theirs.reset();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::automatic, 100};
        auto last = co_await m.next();
        EXPECT_EQ(shown_message(last), "last");
        auto end = co_await m.next();
        EXPECT_EQ(shown_message(end), "(end)");
        EXPECT_EQ(engine().timers().next(), io::never);
        co_await c.close();
    });
}

TEST_P(framed_contract, a_message_that_is_too_long_is_an_error) {
    auto [ours, theirs] = local_pair();
    write_all(theirs.get(), "short\n" + std::string(1000, 'x'));
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::line, 100};
        auto first = co_await m.next();
        EXPECT_EQ(shown_message(first), "short\\n");
        for (int i = 0; i < 2; ++i) {
            auto second = co_await m.next();
            EXPECT_EQ(shown_message(second), "(the message is too long)");
        }
        co_await c.close();
    });
}

TEST_P(framed_contract, an_error_of_the_connection_is_reported) {
    auto [ours, theirs] = tcp_pair();
    write_all(theirs.get(), "half a li");
    reset_at_close(theirs.get());
    steps later{engine(), {[] {}, [&] { theirs.reset(); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::line, 100};
        auto found = co_await m.next();
        EXPECT_EQ(shown_message(found), "(connection reset by peer)");
        co_await c.close();
    });
}

TEST_P(framed_contract, a_cancel_loses_nothing) {
    auto [ours, theirs] = local_pair();
    write_all(theirs.get(), "be");
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::line, 100};
        for (int i = 0; i < 2; ++i) {
            auto late = co_await io::with_timeout(engine(), m.next(), 1ms);
            EXPECT_EQ(shown_message(late), "(the deadline passed)");
        }
        write_all(theirs.get(), "gun\n");
        auto found = co_await m.next();
        EXPECT_EQ(shown_message(found), "begun\\n");
        co_await c.close();
    });
}

TEST_P(framed_contract, waiting_holds_no_buffer) {
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        messages m{c, wire::framing::line, 100};
        write_all(theirs.get(), "one\nbegun");
        auto one = co_await m.next();
        EXPECT_EQ(shown_message(one), "one\\n");
        later.begin({[] {}, [&] { EXPECT_EQ(engine().buffers().leased(), 0U); },
                     [&] { write_all(theirs.get(), " here\n"); }});
        auto two = co_await m.next();
        EXPECT_EQ(shown_message(two), "begun here\\n");
        co_await c.close();
    });
}

// With fewer buffers than readers.
class framed_crowd : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, framed_crowd, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(framed_crowd, shares_one_buffer) {
    options.buffers = {.count = 1, .size = 64, .at_first = 1};
    constexpr int readers = 10;
    constexpr int lines = 20;
    int counted = 0;
    run([&]() -> coro::task<> {
        std::vector<unique_fd> peers;
        coro::scope all{co_await coro::this_context()};
        auto read = [](io::engine& e, unique_fd fd, int& count) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            messages m{c, wire::framing::line, 100};
            for (;;) {
                auto found = co_await m.next();
                EXPECT_TRUE(found) << shown_message(found);
                if (!found || !*found) break;
                EXPECT_EQ(shown_message(found), "a line of some length\\n");
                ++count;
            }
            co_await c.close();
        };
        for (int i = 0; i < readers; ++i) {
            auto pair = local_pair();
            peers.push_back(std::move(pair.theirs));
            all.spawn(read(engine(), std::move(pair.ours), counted));
        }
        for (int i = 0; i < lines; ++i) {
            for (const auto& peer : peers) write_all(peer.get(), "a line of some length\n");
            co_await io::sleep_for(engine(), 0ms);
        }
        peers.clear();
        co_await all.join();
    });
    EXPECT_EQ(counted, readers * lines);
}

}  // namespace
}  // namespace sluice::test
