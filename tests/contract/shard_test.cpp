// Threads with an engine each: they start, call each other, stop, and end in any order.
#include "sluice/io/shard.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/remote.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/no_memory.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class shard_contract : public engine_test {
 protected:
    std::unique_ptr<io::shard> start(io::shard::entry entry) {
        auto made =
            io::shard::start({.kind = kind(), .engine = flavoured(), .cpu = {}}, std::move(entry));
        EXPECT_TRUE(made) << made.error().message();
        return std::move(*made);
    }
    /// Waits until it is stopped.
    static coro::task<> wait_for_the_end(io::engine& e) {
        auto slept = co_await io::sleep_until{e, io::never};
        EXPECT_EQ(shown(slept), "(cancelled)");
    }
};
INSTANTIATE_TEST_SUITE_P(on, shard_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(shard_contract, runs_until_it_is_stopped) {
    std::promise<io::engine_kind> ran_on;
    auto s = start([&](io::engine& e) -> coro::task<> {
        ran_on.set_value(e.which());
        co_await wait_for_the_end(e);
    });
    EXPECT_EQ(ran_on.get_future().get(), kind());
    s->stop();
    s->stop();
    s->join();
}

TEST_P(shard_contract, its_end_stops_it) {
    auto s = start(&wait_for_the_end);
    s.reset();
}

TEST_P(shard_contract, may_end_by_itself) {
    std::promise<void> ran;
    auto s = start([&](io::engine&) -> coro::task<> {
        ran.set_value();
        co_return;
    });
    ran.get_future().wait();
    s->join();
    s->stop();
}

TEST_P(shard_contract, may_end_by_itself_while_it_is_stopped) {
    for (int i = 0; i < 200; ++i) {
        auto s = start([](io::engine& e) -> coro::task<> {
            static_cast<void>(co_await io::sleep_for(e, 0ms));
        });
        if (i % 2 == 0) std::this_thread::yield();
        s->stop();
    }
}

TEST_P(shard_contract, its_end_leaves_other_engines_alone) {
    // An engine of this thread and one of another that ends: what either has registered with the
    // kernel is its own.
    auto [ours, theirs] = local_pair();
    static_cast<void>(engine());
    for (int i = 0; i < 3; ++i) start(&wait_for_the_end).reset();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto late = co_await io::with_timeout(engine(), c.recv(), 1ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
        write_all(theirs.get(), "words");
        auto got = co_await io::with_timeout(engine(), c.recv(), 2s);
        EXPECT_EQ(shown(got), "words");
        co_await c.close();
    });
}

TEST_P(shard_contract, runs_a_call_of_another_thread) {
    auto s = start(&wait_for_the_end);
    const auto here = std::this_thread::get_id();
    run([&]() -> coro::task<> {
        auto there =
            co_await io::call_on(engine(), s->engine(), [] { return std::this_thread::get_id(); });
        EXPECT_NE(there, here);
        EXPECT_EQ(std::this_thread::get_id(), here);
        auto name =
            co_await io::call_on(engine(), s->engine(), [] { return std::string(100, 'n'); });
        EXPECT_EQ(name, std::string(100, 'n'));
    });
}

TEST_P(shard_contract, calls_go_there_and_back) {
    constexpr int rounds = 1000;
    auto s = start(&wait_for_the_end);
    int there = 0;  // of the other thread alone
    run([&]() -> coro::task<> {
        for (int i = 0; i < rounds; ++i) {
            auto sum = co_await io::call_on(engine(), s->engine(), [&there, i] {
                there += i;
                return there;
            });
            EXPECT_EQ(sum, i * (i + 1) / 2);
        }
    });
}

TEST_P(shard_contract, an_engine_may_end_as_soon_as_its_call_is_back) {
    // The other thread has posted the answer, and may still be writing to the wakeup fd.
    auto s = start(&wait_for_the_end);
    for (int i = 0; i < 300; ++i) {
        auto made = io::make_engine(kind(), {.buffers = {.count = 1, .size = 64}});
        ASSERT_TRUE(made);
        // Awake, so that it sees the answer before the wakeup.
        bool back = false;
        auto call = [](io::engine& here, io::engine& there, bool& done) -> coro::task<> {
            auto answer = co_await io::call_on(here, there, [] { return 1; });
            EXPECT_EQ(answer, 1);
            done = true;
        };
        auto keep_awake = [](io::engine& here, const bool& done) -> coro::task<> {
            while (!done) co_await io::sleep_for(here, 0ms);
        };
        auto both = [&]() -> coro::task<> {
            coro::scope all{co_await coro::this_context()};
            all.spawn(call(**made, s->engine(), back));
            all.spawn(keep_awake(**made, back));
            co_await all.join();
        };
        io::run(**made, both());
    }
}

TEST_P(shard_contract, one_engine_calls_itself) {
    run([&]() -> coro::task<> {
        auto answer = co_await io::call_on(engine(), engine(), [] { return 42; });
        EXPECT_EQ(answer, 42);
    });
}

// Only a ring can be refused by an option.
class ring_shard_contract : public shard_contract {};
INSTANTIATE_TEST_SUITE_P(on, ring_shard_contract, ::testing::ValuesIn(only(io::engine_kind::uring)),
                         engine_name);

TEST_P(ring_shard_contract, says_why_it_could_not_start) {
    auto impossible = flavoured();
    impossible.ring_entries = 0;
    auto made =
        io::shard::start({.kind = kind(), .engine = impossible, .cpu = {}}, &wait_for_the_end);
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().is(EINVAL)) << made.error().message();
}

TEST_P(shard_contract, without_memory_for_its_buffers_it_does_not_start) {
    no_memory linux;
    const os::kernel_in_place in_place{linux};
    auto made =
        io::shard::start({.kind = kind(), .engine = flavoured(), .cpu = {}}, &wait_for_the_end);
    ASSERT_FALSE(made);
    EXPECT_TRUE(made.error().is(ENOMEM)) << made.error().message();
}

// Two threads that call each other need engines that wait for both.
class shards_contract : public shard_contract {};
INSTANTIATE_TEST_SUITE_P(on, shards_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(shards_contract, play_ping_pong) {
    constexpr int rounds = 500;
    std::promise<io::engine*> other;
    auto other_engine = other.get_future();
    std::atomic<int> pings = 0;
    std::atomic<int> pongs = 0;
    const auto play = [](io::engine& here, io::engine& there, std::atomic<int>& mine,
                         std::atomic<int>& yours) -> coro::task<> {
        for (int i = 0; i < rounds; ++i) {
            static_cast<void>(co_await io::call_on(here, there, [&yours] { return ++yours; }));
            ++mine;
        }
    };
    std::promise<io::engine*> first;
    auto first_engine = first.get_future();
    std::promise<void> a_done;
    std::promise<void> b_done;
    auto a = start([&](io::engine& e) -> coro::task<> {
        first.set_value(&e);
        co_await play(e, *other_engine.get(), pings, pongs);
        a_done.set_value();
        co_await wait_for_the_end(e);
    });
    auto b = start([&](io::engine& e) -> coro::task<> {
        other.set_value(&e);
        co_await play(e, *first_engine.get(), pongs, pings);
        b_done.set_value();
        co_await wait_for_the_end(e);
    });
    a_done.get_future().wait();
    b_done.get_future().wait();
    EXPECT_EQ(pings, 2 * rounds);
    EXPECT_EQ(pongs, 2 * rounds);
}

TEST_P(shards_contract, many_calls_are_under_way_at_once) {
    constexpr int callers = 500;
    auto s = start(&wait_for_the_end);
    int there = 0;
    int sum = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto call = [](io::engine& here, io::engine& other, int& counter,
                       int& total) -> coro::task<> {
            total += co_await io::call_on(here, other, [&counter] { return ++counter; });
        };
        for (int i = 0; i < callers; ++i) all.spawn(call(engine(), s->engine(), there, sum));
        co_await all.join();
    });
    EXPECT_EQ(sum, callers * (callers + 1) / 2);
}

}  // namespace
}  // namespace sluice::test
