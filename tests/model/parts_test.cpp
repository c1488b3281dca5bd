// The parts that models are made of: seats, cords, troubles.
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
#include "sluice/io/run.hpp"
#include "sluice/model/seats.hpp"
#include "sluice/model/stop_cord.hpp"
#include "sluice/model/troubles.hpp"

namespace sluice::model {
namespace {

std::unique_ptr<io::engine> make(io::engine_kind kind) {
    auto made = io::make_engine(kind);
    EXPECT_TRUE(made);
    return std::move(*made);
}

coro::task<void> take(seats& from, io::engine& here, std::vector<int>& order, int me) {
    auto seat = co_await from.take(here);
    order.push_back(seat ? me : -me);
}

TEST(seats, whoever_waited_longest_gets_the_seat_that_is_given_back) {
    const auto here = make(io::engine_kind::epoll);
    seats two{2};
    std::vector<int> order;
    coro::context root{here->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(all.spawn(take(two, *here, order, i)));
    EXPECT_EQ(order, (std::vector{1, 2}));
    two.give_back();
    while (order.size() < 3) here->run_once(io::never);
    two.give_back();
    while (all.size() > 0) here->run_once(io::never);
    EXPECT_EQ(order, (std::vector{1, 2, 3, 4}));
}

coro::task<void> look(seats& at, io::engine& here, int& looked) {
    auto free = co_await at.until_one_is_free(here);
    if (free) ++looked;
}

TEST(seats, who_only_looks_takes_none) {
    const auto here = make(io::engine_kind::epoll);
    seats one{1};
    std::vector<int> order;
    int looked = 0;
    coro::context root{here->ready()};
    coro::scope all{root};
    ASSERT_TRUE(all.spawn(look(one, *here, looked)));
    EXPECT_EQ(looked, 1);
    ASSERT_TRUE(all.spawn(take(one, *here, order, 1)));
    // Both wait, and the seat that one was handed goes on to the other.
    ASSERT_TRUE(all.spawn(look(one, *here, looked)));
    ASSERT_TRUE(all.spawn(take(one, *here, order, 2)));
    EXPECT_EQ(looked, 1);
    one.give_back();
    while (all.size() > 0) here->run_once(io::never);
    EXPECT_EQ(looked, 2);
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(seats, a_wait_that_is_cancelled_takes_no_seat) {
    const auto here = make(io::engine_kind::epoll);
    seats one{1};
    std::vector<int> order;
    coro::context root{here->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 2; ++i) ASSERT_TRUE(all.spawn(take(one, *here, order, i)));
    all.cancel();
    while (all.size() > 0) here->run_once(io::never);
    EXPECT_EQ(order, (std::vector{1, -2}));
    one.give_back();
    coro::context again{here->ready()};
    coro::scope later{again};
    ASSERT_TRUE(later.spawn(take(one, *here, order, 3)));
    EXPECT_EQ(order, (std::vector{1, -2, 3}));
}

TEST(seats, a_seat_given_back_on_another_thread_wakes_who_waits) {
    const auto here = make(io::engine_kind::epoll);
    seats one{1};
    std::vector<int> order;
    coro::context root{here->ready()};
    coro::scope all{root};
    for (int i = 1; i <= 2; ++i) ASSERT_TRUE(all.spawn(take(one, *here, order, i)));
    std::thread other{[&one] { one.give_back(); }};
    while (all.size() > 0) here->run_once(io::never);
    other.join();
    EXPECT_EQ(order, (std::vector{1, 2}));
}

TEST(stop_cord, stages_pulled_before_it_is_tied_are_acted_on_then) {
    const auto here = make(io::engine_kind::blocking);
    std::vector<stage> acted;
    stop_cord cord{[&acted](stage s) { acted.push_back(s); }};
    cord.pull(stage::draining);
    EXPECT_TRUE(acted.empty());
    cord.tie(*here);
    EXPECT_EQ(acted, (std::vector{stage::draining}));
    cord.untie();
}

TEST(stop_cord, every_stage_is_acted_on_once_and_in_order) {
    const auto here = make(io::engine_kind::blocking);
    std::vector<stage> acted;
    stop_cord cord{[&acted](stage s) { acted.push_back(s); }};
    cord.tie(*here);
    std::thread other{[&cord] {
        cord.pull(stage::ending);
        cord.pull(stage::draining);
        cord.pull(stage::ending);
    }};
    other.join();
    cord.untie();
    EXPECT_EQ(acted, (std::vector{stage::draining, stage::ending}));
    cord.pull(stage::ending);
}

TEST(troubles, each_kind_is_told_once) {
    std::vector<std::string> told;
    troubles all{[&told](std::string_view what) { told.emplace_back(what); }};
    all.tell(trouble::thread, "no thread");
    all.tell(trouble::thread, "no thread again");
    all.tell(trouble::crash, "a crash");
    EXPECT_EQ(told, (std::vector<std::string>{"no thread", "a crash"}));
}

TEST(troubles, nobody_needs_to_listen) {
    troubles all{{}};
    all.tell(trouble::process, "unheard");
}

}  // namespace
}  // namespace sluice::model
