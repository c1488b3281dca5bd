// Threads that wait for each other: none goes on before all have come or the barrier is abandoned.
#include "sluice/io/barrier.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <vector>

#include "sluice/io/deadline.hpp"
#include "sluice/io/shard.hpp"
#include "tests/support/engine_test.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class barrier_contract : public engine_test {
 protected:
    std::unique_ptr<io::shard> start(io::shard::entry entry) {
        auto made =
            io::shard::start({.kind = kind(), .engine = flavoured(), .cpu = {}}, std::move(entry));
        EXPECT_TRUE(made) << made.error().message();
        return std::move(*made);
    }
};
INSTANTIATE_TEST_SUITE_P(on, barrier_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(barrier_contract, of_one_is_passed_at_once) {
    io::barrier alone{1};
    bool came = false;
    run([&]() -> coro::task<> { came = co_await alone.arrive(engine()); });
    EXPECT_TRUE(came);
}

TEST_P(barrier_contract, no_thread_goes_on_before_all_have_come) {
    constexpr std::size_t many = 4;
    // Again and again, for threads that start come late anyway.
    constexpr int rounds = 100;
    std::vector<std::unique_ptr<io::barrier>> barriers;
    for (int i = 0; i < rounds; ++i) barriers.push_back(std::make_unique<io::barrier>(many));
    std::atomic<int> came = 0;
    std::atomic<int> early = 0;
    auto go = [&](io::engine& e) -> coro::task<> {
        for (int i = 0; i < rounds; ++i) {
            ++came;
            const bool all = co_await barriers[static_cast<std::size_t>(i)]->arrive(e);
            if (!all || came < static_cast<int>(many) * (i + 1)) ++early;
        }
    };
    std::vector<std::unique_ptr<io::shard>> others;
    for (std::size_t i = 1; i < many; ++i) others.push_back(start(go));
    run([&]() -> coro::task<> { co_await go(engine()); });
    for (auto& s : others) s->join();
    EXPECT_EQ(early, 0);
    EXPECT_EQ(came, static_cast<int>(many) * rounds);
}

/// A message that records its delivery.
struct tracked_message : io::message {
    tracked_message() noexcept
        : message{
              [](io::message& l) noexcept { static_cast<tracked_message&>(l).delivered = true; }} {}
    bool delivered = false;
};

TEST_P(barrier_contract, what_was_posted_before_is_delivered_before) {
    io::engine& e = engine();
    for (int round = 0; round < 50; ++round) {
        io::barrier both{2};
        tracked_message message;
        bool seen = false;
        auto other = start([&](io::engine& there) -> coro::task<> {
            e.post(message);
            const bool all = co_await both.arrive(there);
            EXPECT_TRUE(all);
        });
        run([&]() -> coro::task<> {
            const bool all = co_await both.arrive(engine());
            EXPECT_TRUE(all);
            seen = message.delivered;
        });
        other->join();
        EXPECT_TRUE(seen) << round;
    }
}

TEST_P(barrier_contract, abandoned_it_holds_no_thread) {
    io::barrier never_full{3};
    std::promise<void> first_is_here;
    std::atomic<int> abandoned_waits = 0;
    auto wait = [&](io::engine& e) -> coro::task<> {
        const bool all = co_await never_full.arrive(e);
        if (!all) ++abandoned_waits;
    };
    auto other = start([&](io::engine& there) -> coro::task<> {
        first_is_here.set_value();
        co_await wait(there);
    });
    first_is_here.get_future().wait();
    never_full.abandon();
    // A thread that comes later does not wait either.
    run([&]() -> coro::task<> { co_await wait(engine()); });
    other->join();
    EXPECT_EQ(abandoned_waits, 2);
    never_full.abandon();
}

TEST_P(barrier_contract, abandoned_wakes_who_waits_already) {
    io::barrier never_full{2};
    bool all = true;
    bool still_waited = false;
    run([&]() -> coro::task<> {
        coro::scope both{co_await coro::this_context()};
        bool back = false;
        auto wait = [&]() -> coro::task<> {
            all = co_await never_full.arrive(engine());
            back = true;
        };
        both.spawn(wait());
        // The first has gone to sleep when this one runs again.
        co_await io::sleep_for(engine(), 1ms);
        still_waited = !back;
        never_full.abandon();
        co_await both.join();
    });
    EXPECT_TRUE(still_waited);
    EXPECT_FALSE(all);
}

}  // namespace
}  // namespace sluice::test
