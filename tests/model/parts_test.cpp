// The parts that models are made of: connection_limit, stop_relay, event_log.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/model/connection_limit.hpp"
#include "sluice/model/event_log.hpp"
#include "sluice/model/stop_relay.hpp"

namespace sluice::model {
namespace {

std::unique_ptr<io::engine> make(io::engine_kind kind) {
    auto made = io::make_engine(kind);
    EXPECT_TRUE(made);
    return std::move(*made);
}

coro::task<void> acquire(connection_limit& from, io::engine& engine, std::vector<int>& order,
                         int me) {
    auto permit = co_await from.acquire(engine);
    order.push_back(permit ? me : -me);
}

TEST(connection_limit, the_longest_waiter_gets_the_permit_that_is_given_back) {
    const auto engine = make(io::engine_kind::epoll);
    connection_limit two{2};
    std::vector<int> order;
    coro::context root{engine->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(all.spawn(acquire(two, *engine, order, i)));
    EXPECT_EQ(order, (std::vector{1, 2}));
    two.release();
    while (order.size() < 3) engine->run_once(io::never);
    two.release();
    while (all.size() > 0) engine->run_once(io::never);
    EXPECT_EQ(order, (std::vector{1, 2, 3, 4}));
}

coro::task<void> wait_until_free(connection_limit& at, io::engine& engine, int& seen_free) {
    auto free = co_await at.until_free(engine);
    if (free) ++seen_free;
}

TEST(connection_limit, waiting_until_free_takes_no_permit) {
    const auto engine = make(io::engine_kind::epoll);
    connection_limit one{1};
    std::vector<int> order;
    int seen_free = 0;
    coro::context root{engine->ready()};
    coro::scope all{root};
    ASSERT_TRUE(all.spawn(wait_until_free(one, *engine, seen_free)));
    EXPECT_EQ(seen_free, 1);
    ASSERT_TRUE(all.spawn(acquire(one, *engine, order, 1)));
    // Both wait, and the permit that one was handed goes on to the other.
    ASSERT_TRUE(all.spawn(wait_until_free(one, *engine, seen_free)));
    ASSERT_TRUE(all.spawn(acquire(one, *engine, order, 2)));
    EXPECT_EQ(seen_free, 1);
    one.release();
    while (all.size() > 0) engine->run_once(io::never);
    EXPECT_EQ(seen_free, 2);
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(connection_limit, a_wait_that_is_cancelled_takes_no_permit) {
    const auto engine = make(io::engine_kind::epoll);
    connection_limit one{1};
    std::vector<int> order;
    coro::context root{engine->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 2; ++i) ASSERT_TRUE(all.spawn(acquire(one, *engine, order, i)));
    all.cancel();
    while (all.size() > 0) engine->run_once(io::never);
    EXPECT_EQ(order, (std::vector{1, -2}));
    one.release();
    coro::context again{engine->ready()};
    coro::scope later{again};
    ASSERT_TRUE(later.spawn(acquire(one, *engine, order, 3)));
    EXPECT_EQ(order, (std::vector{1, -2, 3}));
}

TEST(connection_limit, a_waiter_that_dies_leaves_its_permit_to_the_others) {
    // On this engine no coroutine resumes.
    io::engine_options stuck;
    stuck.turn_budget = 0;
    const auto made = io::make_engine(io::engine_kind::epoll, stuck);
    ASSERT_TRUE(made);
    io::engine& engine = **made;
    for (const bool has_permit : {false, true}) {
        connection_limit one{1};
        std::vector<int> order;
        coro::context root{engine.ready()};
        coro::scope holder{root};
        ASSERT_TRUE(holder.spawn(acquire(one, engine, order, 1)));
        auto waiting = acquire(one, engine, order, 2);
        waiting.set_context(root);
        auto handle = waiting.release();
        handle.resume();
        if (has_permit) {
            one.release();
            engine.run_once(io::time_point::min());
        }
        handle.destroy();
        if (!has_permit) one.release();
        coro::scope next{root};
        ASSERT_TRUE(next.spawn(acquire(one, engine, order, 3)));
        EXPECT_EQ(order, (std::vector{1, 3}));
    }
}

TEST(connection_limit, more_permits_go_to_those_who_wait_and_fewer_are_returned_first) {
    const auto engine = make(io::engine_kind::epoll);
    connection_limit permits{1};
    std::vector<int> order;
    coro::context root{engine->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 5; ++i) ASSERT_TRUE(all.spawn(acquire(permits, *engine, order, i)));
    EXPECT_EQ(order, (std::vector{1}));
    permits.set_most(3);
    while (order.size() < 3) engine->run_once(io::never);
    EXPECT_EQ(order, (std::vector{1, 2, 3}));
    // Two of the three are to be returned now before one is free.
    permits.set_most(1);
    permits.release();
    permits.release();
    engine->run_once(io::time_point::min());
    EXPECT_EQ(order.size(), 3U);
    permits.release();
    while (order.size() < 4) engine->run_once(io::never);
    permits.release();
    while (all.size() > 0) engine->run_once(io::never);
    EXPECT_EQ(order, (std::vector{1, 2, 3, 4, 5}));
}

TEST(connection_limit, a_permit_given_back_on_another_thread_wakes_the_waiter) {
    const auto engine = make(io::engine_kind::epoll);
    connection_limit one{1};
    std::vector<int> order;
    coro::context root{engine->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 2; ++i) ASSERT_TRUE(all.spawn(acquire(one, *engine, order, i)));
    std::thread other{[&one] { one.release(); }};
    while (all.size() > 0) engine->run_once(io::never);
    other.join();
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(stop_relay, stages_requested_before_it_is_attached_are_acted_on_then) {
    const auto engine = make(io::engine_kind::blocking);
    std::vector<stage> acted;
    stop_relay relay{[&acted](stage s) { acted.push_back(s); }};
    relay.request(stage::draining);
    EXPECT_TRUE(acted.empty());
    relay.attach(*engine);
    EXPECT_EQ(acted, (std::vector{stage::draining}));
    relay.detach();
}

TEST(stop_relay, every_stage_is_acted_on_once_and_in_order) {
    const auto engine = make(io::engine_kind::blocking);
    std::vector<stage> acted;
    stop_relay relay{[&acted](stage s) { acted.push_back(s); }};
    relay.attach(*engine);
    std::thread other{[&relay] {
        relay.request(stage::ending);
        relay.request(stage::draining);
        relay.request(stage::ending);
    }};
    other.join();
    relay.detach();
    EXPECT_EQ(acted, (std::vector{stage::draining, stage::ending}));
    relay.request(stage::ending);
}

TEST(event_log, each_kind_is_reported_once) {
    std::vector<std::string> reported;
    event_log all{[&reported](std::string_view what) { reported.emplace_back(what); }};
    all.report(event_kind::thread, "no thread");
    all.report(event_kind::thread, "no thread again");
    all.report(event_kind::crash, "a crash");
    EXPECT_EQ(reported, (std::vector<std::string>{"no thread", "a crash"}));
}

TEST(event_log, a_log_sink_is_optional) {
    event_log all{{}};
    all.report(event_kind::process, "unheard");
}

}  // namespace
}  // namespace sluice::model
