// Receiving: what came arrives once and in order, however the peer sends it and the reader asks.
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class recv_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, recv_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(recv_contract, gives_what_is_there) {
    auto [ours, theirs] = local_pair();
    write_all(theirs.get(), "hello");
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "hello");
        co_await c.close();
    });
}

TEST_P(recv_contract, waits_for_what_comes) {
    auto [ours, theirs] = local_pair();
    const steps later{engine(), {[] {}, [&] { write_all(theirs.get(), "hello"); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "hello");
        co_await c.close();
    });
}

TEST_P(recv_contract, gives_pieces_as_they_come) {
    auto [ours, theirs] = local_pair();
    const std::string text = "split at every byte";
    std::vector<steps::step> bytes;
    for (const char& c : text) bytes.emplace_back([&] { write_all(theirs.get(), {&c, 1}); });
    bytes.emplace_back([&] { theirs.reset(); });
    const steps later{engine(), std::move(bytes)};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string all;
        for (;;) {
            auto got = co_await c.recv();
            if (!got || got->empty()) break;
            all += got->text();
        }
        EXPECT_EQ(all, text);
        co_await c.close();
    });
}

TEST_P(recv_contract, keeps_the_order_over_many_buffers) {
    options.buffers = {.count = 16, .size = 100, .at_first = 2};
    auto [ours, theirs] = local_pair();
    const std::string text = pattern(20'000);
    write_all(theirs.get(), text);
    theirs.reset();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string all;
        for (;;) {
            auto got = co_await c.recv();
            EXPECT_TRUE(got) << got.error().message();
            if (!got || got->empty()) break;
            EXPECT_LE(got->bytes().size(), 100U);
            all += got->text();
        }
        EXPECT_TRUE(all == text);
        co_await c.close();
    });
}

TEST_P(recv_contract, leases_outlive_later_reads) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::vector<io::lease> kept;
        for (const char* word : {"one", "two", "three"}) {
            write_all(theirs.get(), word);
            auto got = co_await c.recv();
            if (got) kept.push_back(std::move(*got));
        }
        EXPECT_EQ(kept.size(), 3U);
        EXPECT_EQ(kept.at(0).text(), "one");
        EXPECT_EQ(kept.at(1).text(), "two");
        EXPECT_EQ(kept.at(2).text(), "three");
        EXPECT_EQ(engine().buffers().leased(), 3U);
        co_await c.close();
    });
}

TEST_P(recv_contract, end_of_stream_stays_the_end) {
    auto [ours, theirs] = local_pair();
    write_all(theirs.get(), "last words");
    theirs.reset();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto words = co_await c.recv();
        EXPECT_EQ(shown(words), "last words");
        for (int i = 0; i < 3; ++i) {
            auto end = co_await c.recv();
            EXPECT_EQ(shown(end), "(end)");
        }
        co_await c.close();
    });
}

TEST_P(recv_contract, end_of_stream_comes_while_waiting) {
    auto [ours, theirs] = local_pair();
    const steps later{engine(), {[] {}, [&] { theirs.reset(); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto end = co_await c.recv();
        EXPECT_EQ(shown(end), "(end)");
        auto again = co_await c.recv();
        EXPECT_EQ(shown(again), "(end)");
        co_await c.close();
    });
}

TEST_P(recv_contract, a_reset_is_an_error_and_stays_one) {
    auto [ours, theirs] = tcp_pair();
    reset_at_close(theirs.get());
    const steps later{engine(), {[] {}, [&] { theirs.reset(); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "(connection reset by peer)");
        // Nothing but an end may follow, and it may not hang.
        auto again = co_await c.recv();
        EXPECT_TRUE(!again || again->empty());
        co_await c.close();
    });
}

TEST_P(recv_contract, a_peer_that_sends_no_more_still_gets_its_answer) {
    auto [ours, theirs] = tcp_pair();
    write_all(theirs.get(), "question");
    ::shutdown(theirs.get(), SHUT_WR);
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto question = co_await c.recv();
        EXPECT_EQ(shown(question), "question");
        auto end = co_await c.recv();
        EXPECT_EQ(shown(end), "(end)");
        auto sent = co_await c.send_all("answer");
        EXPECT_EQ(shown(sent), "6");
        co_await c.close();
    });
    EXPECT_EQ(read_to_end(theirs.get()), "answer");
}

TEST_P(recv_contract, who_sends_no_more_still_receives) {
    auto [ours, theirs] = tcp_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto sent = co_await c.send_all("question");
        EXPECT_EQ(shown(sent), "8");
        co_await c.end_sending();
        EXPECT_EQ(read_to_end(theirs.get()), "question");
        write_all(theirs.get(), "answer");
        theirs.reset();
        auto answer = co_await c.recv();
        EXPECT_EQ(shown(answer), "answer");
        auto end = co_await c.recv();
        EXPECT_EQ(shown(end), "(end)");
        co_await c.close();
    });
}

TEST_P(recv_contract, urgent_bytes_hide_nothing_behind_them) {
    // A read stops short before an urgent byte although there is more: telnet sends such on Ctrl-C.
    auto [ours, theirs] = tcp_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        write_all(theirs.get(), "first");
        auto first = co_await c.recv();
        EXPECT_EQ(shown(first), "first");
        auto none = co_await io::with_timeout(engine(), c.recv(), 0ms);
        EXPECT_EQ(shown(none), "(the deadline passed)");
        write_all(theirs.get(), "before");
        EXPECT_EQ(::send(theirs.get(), "!", 1, MSG_OOB), 1);
        write_all(theirs.get(), "behind");
        std::string all;
        while (all.size() < 12) {
            auto got = co_await io::with_timeout(engine(), c.recv(), 2s);
            EXPECT_TRUE(got) << "after '" << all << "': " << shown(got);
            if (!got || got->empty()) break;
            all += got->text();
        }
        EXPECT_EQ(all, "beforebehind");
        co_await c.close();
    });
}

// ----- given memory

TEST_P(recv_contract, into_memory_gives_a_part_or_all_of_it) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string buffer(8, '.');
        const auto bytes = std::as_writable_bytes(std::span{buffer});
        write_all(theirs.get(), "12345");
        auto part = co_await c.recv_into(bytes);
        EXPECT_EQ(shown(part), "5");
        EXPECT_EQ(buffer, "12345...");
        write_all(theirs.get(), "0123456789");
        auto full = co_await c.recv_into(bytes);
        EXPECT_EQ(shown(full), "8");
        EXPECT_EQ(buffer, "01234567");
        auto rest = co_await c.recv_into(bytes);
        EXPECT_EQ(shown(rest), "2");
        theirs.reset();
        auto end = co_await c.recv_into(bytes);
        EXPECT_EQ(shown(end), "0");
        auto again = co_await c.recv_into(bytes);
        EXPECT_EQ(shown(again), "0");
        co_await c.close();
    });
}

TEST_P(recv_contract, into_memory_waits_and_can_be_given_up) {
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string buffer(8, '.');
        const auto bytes = std::as_writable_bytes(std::span{buffer});
        auto late = co_await io::with_timeout(engine(), c.recv_into(bytes), 1ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
        later.begin({[] {}, [&] { write_all(theirs.get(), "abc"); }});
        auto got = co_await c.recv_into(bytes);
        EXPECT_EQ(shown(got), "3");
        EXPECT_EQ(buffer, "abc.....");
        co_await c.close();
    });
}

// ----- cancels and deadlines

TEST_P(recv_contract, in_a_cancelled_context_does_not_begin) {
    auto [ours, theirs] = local_pair();
    coro::context root{engine().ready()};
    root.cancel();
    const auto before = engine().counters().operations;
    io::run(
        engine(),
        [](io::engine& e, unique_fd fd) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            auto got = co_await c.recv();
            EXPECT_EQ(shown(got), "(cancelled)");
            co_await c.close();
        }(engine(), std::move(ours)),
        root);
    EXPECT_EQ(engine().counters().operations, before);
}

TEST_P(recv_contract, what_is_there_beats_a_deadline_that_has_passed) {
    auto [ours, theirs] = local_pair();
    write_all(theirs.get(), "there");
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto got = co_await io::with_deadline(engine(), c.recv(), io::clock::now() - 1h);
        EXPECT_EQ(shown(got), "there");
        auto none = co_await io::with_deadline(engine(), c.recv(), io::clock::now() - 1h);
        EXPECT_EQ(shown(none), "(the deadline passed)");
        co_await c.close();
    });
}

TEST_P(recv_contract, what_comes_before_the_deadline_is_given) {
    auto [ours, theirs] = local_pair();
    const steps later{engine(), {[] {}, [&] { write_all(theirs.get(), "in time"); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto got = co_await io::with_timeout(engine(), c.recv(), 1h);
        EXPECT_EQ(shown(got), "in time");
        EXPECT_EQ(engine().timers().next(), io::never);
        co_await c.close();
    });
}

TEST_P(recv_contract, what_came_before_the_deadline_is_given_by_a_thread_that_polls_late) {
    // Again, with more time, if this machine was so busy that the bytes themselves were late.
    auto time = 5ms;
    for (bool in_time = false; !in_time; time *= 2) {
        auto [ours, theirs] = local_pair();
        const auto deadline = io::clock::now() + time;
        // The step keeps the thread busy until the deadline has passed; the bytes came before.
        const steps later{engine(), {[&] {
                              write_all(theirs.get(), "in time");
                              in_time = io::clock::now() < deadline;
                              while (io::clock::now() <= deadline) continue;
                          }}};
        run([&]() -> coro::task<> {
            net::connection c{engine(), std::move(ours)};
            auto got = co_await io::with_deadline(engine(), c.recv(), deadline);
            if (in_time) {
                EXPECT_EQ(shown(got), "in time");
            }
            co_await c.close();
        });
    }
}

TEST_P(recv_contract, a_wait_given_up_loses_nothing) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        for (int i = 0; i < 3; ++i) {
            auto late = co_await io::with_timeout(engine(), c.recv(), 1ms);
            EXPECT_EQ(shown(late), "(the deadline passed)");
        }
        write_all(theirs.get(), "late but here");
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "late but here");
        co_await c.close();
    });
}

TEST_P(recv_contract, what_came_between_two_questions_is_given) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto late = co_await io::with_timeout(engine(), c.recv(), 1ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
        write_all(theirs.get(), "one");
        theirs.reset();
        // Turns in which no operation waits for it.
        for (int i = 0; i < 3; ++i) co_await io::sleep_for(engine(), 0ms);
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "one");
        auto end = co_await c.recv();
        EXPECT_EQ(shown(end), "(end)");
        co_await c.close();
    });
}

/// Reads until the end; what it was refused does not count. Cancels come from a context of its own
/// a read, as those of a deadline do.
coro::task<std::string> read_through_cancels(io::engine& e, net::connection& c,
                                             coro::context*& current) {
    std::string all;
    for (;;) {
        coro::context inner{co_await coro::this_context()};
        auto one_read = [](net::connection& from) -> coro::task<result<io::lease>> {
            co_return co_await from.recv();
        }(c);
        one_read.set_context(inner);
        current = &inner;
        auto got = co_await one_read;
        current = nullptr;
        if (got && got->empty()) co_return all;
        if (got) {
            all += got->text();
        } else if (got.error() != fault::cancelled) {
            co_return all + shown(got);
        }
        static_cast<void>(e);
    }
}

TEST_P(recv_contract, a_cancel_at_any_moment_loses_nothing) {
    // Bytes in one turn, a cancel in another, before, with or after it, and several of both.
    for (unsigned cancels = 0; cancels < 64; ++cancels) {
        for (const bool bytes_first : {false, true}) {
            auto [ours, theirs] = local_pair();
            coro::context* current = nullptr;
            std::vector<steps::step> turns;
            for (unsigned turn = 0; turn < 6; ++turn) {
                turns.emplace_back([&, turn] {
                    const auto send = [&] {
                        if (turn % 2 == 1) write_all(theirs.get(), "turn " + std::to_string(turn));
                    };
                    if (bytes_first) send();
                    if (((cancels >> turn) & 1U) != 0 && current != nullptr) current->cancel();
                    if (!bytes_first) send();
                });
            }
            turns.emplace_back([&] { theirs.reset(); });
            const steps later{engine(), std::move(turns)};
            run([&]() -> coro::task<> {
                net::connection c{engine(), std::move(ours)};
                auto all = co_await read_through_cancels(engine(), c, current);
                EXPECT_EQ(all, "turn 1turn 3turn 5") << cancels << " " << bytes_first;
                co_await c.close();
            });
        }
    }
}

TEST_P(recv_contract, two_cancels_are_one) {
    auto [ours, theirs] = local_pair();
    coro::context root{engine().ready()};
    const steps later{engine(),
                      {[&] {
                           root.cancel();
                           root.cancel();
                       },
                       [&] { root.cancel(); }}};
    io::run(
        engine(),
        [](io::engine& e, unique_fd fd) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            auto got = co_await c.recv();
            EXPECT_EQ(shown(got), "(cancelled)");
            auto again = co_await c.recv();
            EXPECT_EQ(shown(again), "(cancelled)");
            co_await c.close();
        }(engine(), std::move(ours)),
        root);
}

// ----- reading ahead

TEST_P(recv_contract, a_reader_that_takes_nothing_holds_few_buffers_and_loses_nothing) {
    options.buffers = {.count = 64, .size = 64, .at_first = 64};
    auto [ours, theirs] = local_pair();
    const std::string text = pattern(64 * 48);
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        // One read, so that where the kernel can receive ahead, it does.
        write_all(theirs.get(), "x");
        auto first = co_await c.recv();
        EXPECT_EQ(shown(first), "x");
        first = {};
        for (std::size_t at = 0; at < text.size(); at += 64) {
            write_all(theirs.get(), std::string_view{text}.substr(at, 64));
            co_await io::sleep_for(engine(), 0ms);
            EXPECT_LE(engine().buffers().leased(), io::recv_stream::ahead + 2U);
        }
        theirs.reset();
        std::string all;
        for (;;) {
            auto got = co_await c.recv();
            EXPECT_TRUE(got) << shown(got) << " after " << all.size();
            if (!got || got->empty()) break;
            all += got->text();
        }
        EXPECT_TRUE(all == text) << all.size();
        co_await c.close();
    });
}

}  // namespace
}  // namespace sluice::test
