// Sending: in part or all of it, to readers that are slow, gone, or never read.
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <thread>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class send_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, send_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(send_contract, sends_what_the_kernel_takes) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto sent = co_await c.send(as_bytes("hello"));
        EXPECT_EQ(shown(sent), "5");
        EXPECT_EQ(read_exactly(theirs.get(), 5), "hello");
        co_await c.close();
    });
}

TEST_P(send_contract, one_send_may_take_a_part) {
    auto [ours, theirs] = local_pair();
    shrink_buffers(ours.get());
    const std::string text = pattern(1 << 20);
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto sent = co_await c.send(as_bytes(text), MSG_DONTWAIT);
        EXPECT_TRUE(sent);
        EXPECT_GT(sent.value_or(0), 0U);
        EXPECT_LT(sent.value_or(0), text.size());
        EXPECT_TRUE(read_what_is_there(theirs.get()) == text.substr(0, sent.value_or(0)));
        co_await c.close();
    });
}

TEST_P(send_contract, all_of_ten_megabytes_reach_a_slow_reader) {
    auto [ours, theirs] = tcp_pair();
    const std::string text = pattern(10'000'000);
    std::string got;
    std::thread reader{[&] { got = read_to_end(theirs.get()); }};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto sent = co_await c.send_all(text);
        EXPECT_EQ(shown(sent), "10000000");
        co_await c.close();
    });
    reader.join();
    EXPECT_TRUE(got == text);
}

TEST_P(send_contract, all_of_it_to_a_reader_that_takes_it_piece_by_piece) {
    auto [ours, theirs] = local_pair();
    shrink_buffers(ours.get());
    const std::string text = pattern(100'000);
    std::string got;
    std::vector<steps::step> reads(200, [&] { got += read_what_is_there(theirs.get()); });
    const steps later{engine(), std::move(reads)};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto sent = co_await c.send_all(text);
        EXPECT_EQ(shown(sent), "100000");
        co_await c.close();
    });
    got += read_to_end(theirs.get());
    EXPECT_TRUE(got == text) << got.size();
}

TEST_P(send_contract, nothing_is_sent_at_once_even_where_nothing_fits) {
    auto [ours, theirs] = local_pair();
    fill(ours.get());
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        // What was learnt of the socket on the way must not matter.
        auto full = co_await io::with_timeout(engine(), c.send(as_bytes("x")), 1ms);
        EXPECT_EQ(shown(full), "(the deadline passed)");
        auto sent = co_await io::with_timeout(engine(), c.send_all(""), 2s);
        EXPECT_EQ(shown(sent), "0");
        co_await c.close();
    });
}

TEST_P(send_contract, to_a_peer_that_is_gone_is_an_error_and_no_signal) {
    auto [ours, theirs] = local_pair();
    theirs.reset();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto one = co_await c.send(as_bytes("hello"));
        EXPECT_EQ(shown(one), "(broken pipe)");
        auto all = co_await c.send_all("hello");
        EXPECT_EQ(shown(all), "(broken pipe)");
        co_await c.close();
    });
}

TEST_P(send_contract, a_peer_that_goes_ends_the_wait) {
    auto [ours, theirs] = local_pair();
    const std::string text = pattern(1 << 20);
    const steps later{engine(), {[] {}, [&] { theirs.reset(); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto all = co_await c.send_all(text);
        EXPECT_FALSE(all);
        co_await c.close();
    });
}

TEST_P(send_contract, a_reset_ends_the_wait) {
    auto [ours, theirs] = tcp_pair();
    const std::string text = pattern(10 << 20);
    reset_at_close(theirs.get());
    const steps later{engine(), {[] {}, [&] { theirs.reset(); }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto all = co_await c.send_all(text);
        // EPIPE if a part of it went out before the kernel saw the reset.
        EXPECT_TRUE(shown(all) == "(connection reset by peer)" || shown(all) == "(broken pipe)")
            << shown(all);
        co_await c.close();
    });
}

TEST_P(send_contract, in_a_cancelled_context_does_not_begin) {
    auto [ours, theirs] = local_pair();
    coro::context root{engine().ready()};
    root.cancel();
    io::run(
        engine(),
        [](io::engine& e, unique_fd fd) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            auto sent = co_await c.send_all("hello");
            EXPECT_EQ(shown(sent), "(cancelled)");
            co_await c.close();
        }(engine(), std::move(ours)),
        root);
    EXPECT_EQ(read_to_end(theirs.get()), "");
}

TEST_P(send_contract, a_deadline_ends_the_wait_for_a_reader_that_never_reads) {
    auto [ours, theirs] = local_pair();
    const std::string text = pattern(1 << 20);
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto all = co_await io::with_timeout(engine(), c.send_all(text), 5ms);
        EXPECT_EQ(shown(all), "(the deadline passed)");
        co_await c.close();
    });
    // What went out before was right, and in order.
    const auto got = read_to_end(theirs.get());
    EXPECT_TRUE(got == text.substr(0, got.size()));
}

TEST_P(send_contract, a_cancel_ends_the_wait) {
    auto [ours, theirs] = local_pair();
    const std::string text = pattern(1 << 20);
    coro::context root{engine().ready()};
    const steps later{engine(), {[] {}, [&] { root.cancel(); }}};
    io::run(
        engine(),
        [&](unique_fd fd) -> coro::task<> {
            net::connection c{engine(), std::move(fd)};
            auto all = co_await c.send_all(text);
            EXPECT_EQ(shown(all), "(cancelled)");
            co_await c.close();
        }(std::move(ours)),
        root);
}

TEST_P(send_contract, space_that_came_before_the_deadline_is_used_by_a_thread_that_polls_late) {
    // Again, with more time, if the space itself was late: on a machine that is busy, or because a
    // sanitizer looks at each byte.
    auto time = 5ms;
    for (bool in_time = false; !in_time; time *= 2) {
        auto [ours, theirs] = local_pair();
        fill(ours.get());
        const auto deadline = io::clock::now() + time;
        const steps later{engine(),
                          {[] {},
                           [&] {
                               static_cast<void>(read_what_is_there(theirs.get()));
                               in_time = io::clock::now() < deadline;
                               while (io::clock::now() <= deadline) continue;
                           }}};
        run([&]() -> coro::task<> {
            net::connection c{engine(), std::move(ours)};
            auto sent = co_await io::with_deadline(engine(), c.send(as_bytes("in time")), deadline);
            if (in_time) {
                EXPECT_EQ(shown(sent), "7");
            }
            co_await c.close();
        });
        if (in_time) {
            EXPECT_EQ(read_to_end(theirs.get()), "in time");
        }
    }
}

// ----- both directions at once

class duplex_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, duplex_contract, ::testing::ValuesIn(every_loop()), engine_name);

coro::task<> send_and_finish(net::connection& c, const std::string& text) {
    auto sent = co_await c.send_all(text);
    EXPECT_TRUE(sent);
    co_await c.end_sending();
}

coro::task<> receive_all(net::connection& c, std::string& into) {
    for (;;) {
        auto got = co_await c.recv();
        EXPECT_TRUE(got);
        if (!got || got->empty()) co_return;
        into += got->text();
    }
}

TEST_P(duplex_contract, one_coroutine_reads_while_another_writes) {
    auto [ours, theirs] = tcp_pair();
    const std::string there = pattern(3'000'000);
    const std::string back = pattern(2'000'000);
    std::string got_there;
    std::string got_back;
    run([&]() -> coro::task<> {
        net::connection a{engine(), std::move(ours)};
        net::connection b{engine(), std::move(theirs)};
        coro::scope all{co_await coro::this_context()};
        all.spawn(send_and_finish(a, there));
        all.spawn(receive_all(b, got_there));
        all.spawn(send_and_finish(b, back));
        all.spawn(receive_all(a, got_back));
        co_await all.join();
        co_await a.close();
        co_await b.close();
    });
    EXPECT_TRUE(got_there == there) << got_there.size();
    EXPECT_TRUE(got_back == back) << got_back.size();
}

}  // namespace
}  // namespace sluice::test
