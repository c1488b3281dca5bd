// Sleeping and deadlines: in order, exactly once, and gone when they are no longer wanted.
#include <algorithm>
#include <chrono>
#include <memory>
#include <random>
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

class timer_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, timer_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(timer_contract, sleep_lasts_as_long_as_it_should) {
    run([&]() -> coro::task<> {
        const auto before = io::clock::now();
        auto slept = co_await io::sleep_for(engine(), 5ms);
        EXPECT_EQ(shown(slept), "(ok)");
        EXPECT_GE(io::clock::now() - before, 5ms);
        EXPECT_EQ(engine().timers().next(), io::never);
    });
}

TEST_P(timer_contract, sleep_until_the_past_is_short) {
    run([&]() -> coro::task<> {
        auto slept = co_await io::sleep_until{engine(), io::clock::now() - 1h};
        EXPECT_EQ(shown(slept), "(ok)");
        auto again = co_await io::sleep_for(engine(), -1h);
        EXPECT_EQ(shown(again), "(ok)");
    });
}

TEST_P(timer_contract, sleep_is_idle) {
    run([&]() -> coro::task<> {
        co_await io::sleep_for(engine(), 1ms);
        const auto before = engine().counters().turns;
        co_await io::sleep_for(engine(), 30ms);
        EXPECT_LE(engine().counters().turns - before, 3U);
    });
}

TEST_P(timer_contract, sleep_ends_with_its_context) {
    coro::context root{engine().ready()};
    const steps later{engine(), {[] {}, [&] { root.cancel(); }}};
    io::run(
        engine(),
        [](io::engine& e) -> coro::task<> {
            auto slept = co_await io::sleep_until{e, io::never};
            EXPECT_EQ(shown(slept), "(cancelled)");
            auto again = co_await io::sleep_for(e, 1h);
            EXPECT_EQ(shown(again), "(cancelled)");
            EXPECT_EQ(e.timers().next(), io::never);
        }(engine()),
        root);
}

// ----- deadlines on tasks

coro::task<result<int>> answer_after(io::engine& e, io::duration d) {
    auto slept = co_await io::sleep_for(e, d);
    if (!slept) co_return failure(slept.error());
    co_return 42;
}

coro::task<result<int>> answer_whatever_happens(io::engine& e, io::duration d) {
    static_cast<void>(co_await io::sleep_for(e, d));
    co_return 42;
}

coro::task<result<int>> fail_at_once() {
    co_return failure_of(EIO);
}

TEST_P(timer_contract, a_task_in_time_gives_its_result) {
    run([&]() -> coro::task<> {
        auto early = co_await io::with_timeout(engine(), answer_after(engine(), 1ms), 1h);
        EXPECT_EQ(shown(early), "42");
        auto at_once = co_await io::with_timeout(engine(), fail_at_once(), 1h);
        EXPECT_EQ(shown(at_once), "(input/output error)");
        EXPECT_EQ(engine().timers().next(), io::never);
    });
}

TEST_P(timer_contract, a_task_out_of_time_is_cancelled) {
    run([&]() -> coro::task<> {
        auto late = co_await io::with_timeout(engine(), answer_after(engine(), 1h), 1ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
        auto past =
            co_await io::with_deadline(engine(), answer_after(engine(), 1h), io::clock::now() - 1h);
        EXPECT_EQ(shown(past), "(the deadline passed)");
        EXPECT_EQ(engine().timers().next(), io::never);
    });
}

TEST_P(timer_contract, a_task_that_has_a_result_nevertheless_gives_it) {
    run([&]() -> coro::task<> {
        auto got = co_await io::with_timeout(engine(), answer_whatever_happens(engine(), 1h), 1ms);
        EXPECT_EQ(shown(got), "42");
    });
}

TEST_P(timer_contract, a_deadline_within_a_deadline) {
    run([&]() -> coro::task<> {
        auto inner = [](io::engine& e, io::duration d) -> coro::task<result<int>> {
            co_return co_await io::with_timeout(e, answer_after(e, 1h), d);
        };
        auto short_inside = co_await io::with_timeout(engine(), inner(engine(), 1ms), 1h);
        EXPECT_EQ(shown(short_inside), "(the deadline passed)");
        auto short_outside = co_await io::with_timeout(engine(), inner(engine(), 1h), 1ms);
        EXPECT_EQ(shown(short_outside), "(the deadline passed)");
        EXPECT_EQ(engine().timers().next(), io::never);
    });
}

TEST_P(timer_contract, a_cancel_from_outside_is_no_timeout) {
    coro::context root{engine().ready()};
    const steps later{engine(), {[] {}, [&] { root.cancel(); }}};
    io::run(
        engine(),
        [](io::engine& e) -> coro::task<> {
            auto got = co_await io::with_timeout(e, answer_after(e, 1h), 1h);
            EXPECT_EQ(shown(got), "(cancelled)");
            EXPECT_EQ(e.timers().next(), io::never);
        }(engine()),
        root);
}

TEST_P(timer_contract, a_deadline_that_never_comes_costs_no_timer) {
    auto [ours, theirs] = local_pair();
    const steps later{engine(),
                      {[] {},
                       [&] {
                           EXPECT_EQ(engine().timers().next(), io::never);
                           write_all(theirs.get(), "x");
                       }}};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        auto got = co_await io::with_timeout(engine(), c.recv(), io::duration::max());
        EXPECT_EQ(shown(got), "x");
        co_await c.close();
    });
}

// ----- many at once

class timers_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, timers_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(timers_contract, fire_in_the_order_of_their_time) {
    constexpr std::size_t sleepers = 1000;
    std::vector<std::size_t> order(sleepers);
    for (std::size_t i = 0; i < sleepers; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937{7});
    std::vector<std::size_t> woken;
    run([&]() -> coro::task<> {
        const auto start = io::clock::now() + 1ms;
        coro::scope all{co_await coro::this_context()};
        auto sleep = [](io::engine& e, io::time_point when, std::size_t number,
                        std::vector<std::size_t>& log) -> coro::task<> {
            auto slept = co_await io::sleep_until{e, when};
            EXPECT_TRUE(slept);
            EXPECT_GE(io::clock::now(), when);
            log.push_back(number);
        };
        for (const std::size_t i : order) {
            all.spawn(sleep(engine(), start + (i * 10us), i, woken));
        }
        co_await all.join();
    });
    EXPECT_EQ(woken.size(), sleepers);
    EXPECT_TRUE(std::is_sorted(woken.begin(), woken.end()));
}

TEST_P(timers_contract, ten_thousand_are_cancelled_at_once) {
    constexpr std::size_t sleepers = 10'000;
    std::size_t cancelled = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto sleep = [](io::engine& e, io::duration d, std::size_t& count) -> coro::task<> {
            auto slept = co_await io::sleep_for(e, d);
            if (!slept) ++count;
        };
        for (std::size_t i = 0; i < sleepers; ++i) {
            all.spawn(sleep(engine(), 1h + (((i * 7919) % sleepers) * 1ms), cancelled));
        }
        co_await io::sleep_for(engine(), 0ms);
        EXPECT_EQ(all.size(), sleepers);
        all.cancel();
        co_await all.join();
        EXPECT_EQ(engine().timers().next(), io::never);
    });
    EXPECT_EQ(cancelled, sleepers);
}

TEST_P(timers_contract, a_far_one_does_not_hide_a_near_one) {
    run([&]() -> coro::task<> {
        coro::scope far{co_await coro::this_context()};
        auto sleep = [](io::engine& e, io::duration d) -> coro::task<> {
            static_cast<void>(co_await io::sleep_for(e, d));
        };
        far.spawn(sleep(engine(), 1h));
        const auto before = io::clock::now();
        co_await io::sleep_for(engine(), 2ms);
        EXPECT_LT(io::clock::now() - before, 10s);
        far.spawn(sleep(engine(), 2h));
        far.cancel();
        co_await far.join();
    });
}

}  // namespace
}  // namespace sluice::test
