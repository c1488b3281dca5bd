// Calls at the end of a turn: once, after all that is ready, and never for destroyed objects.
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "tests/support/engine_test.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class turn_end_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, turn_end_contract, ::testing::ValuesIn(every_loop()), engine_name);

/// Calls a function at the end of a turn.
class at_end : public io::turn_end {
 public:
    explicit at_end(std::function<void()> f)
        : turn_end{[](io::turn_end& t) noexcept { static_cast<at_end&>(t).function_(); }},
          function_{std::move(f)} {}

 private:
    std::function<void()> function_;
};

TEST_P(turn_end_contract, comes_after_every_coroutine_of_its_turn) {
    std::string said;
    at_end end{[&] { said += "end "; }};
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto say = [&](const char* word, bool asks) -> coro::task<> {
            // Their times are over at the next look at the clock: all wake in one turn.
            co_await io::sleep_for(engine(), 0ms);
            if (asks) engine().at_turn_end(end);
            said += word;
        };
        all.spawn(say("one ", true));
        all.spawn(say("two ", true));
        all.spawn(say("three ", false));
        co_await all.join();
    });
    // The last coroutine wakes who joins in the same turn.
    EXPECT_EQ(said, "one two three end ");
}

TEST_P(turn_end_contract, is_run_once_a_request) {
    int ran = 0;
    at_end end{[&] { ++ran; }};
    engine().at_turn_end(end);
    engine().at_turn_end(end);
    engine().run_once(io::time_point::min());
    EXPECT_EQ(ran, 1);
    engine().run_once(io::time_point::min());
    EXPECT_EQ(ran, 1);
    engine().at_turn_end(end);
    engine().run_once(io::time_point::min());
    EXPECT_EQ(ran, 2);
}

TEST_P(turn_end_contract, lets_no_turn_wait) {
    // Nothing else would ever happen.
    int ran = 0;
    at_end end{[&] { ++ran; }};
    engine().at_turn_end(end);
    engine().run_once(io::never);
    EXPECT_EQ(ran, 1);
}

TEST_P(turn_end_contract, asked_for_inside_it_comes_in_the_next_turn) {
    int ran = 0;
    at_end end{[&] {
        if (++ran < 3) engine().at_turn_end(end);
    }};
    engine().at_turn_end(end);
    for (int turn = 1; turn <= 3; ++turn) {
        engine().run_once(io::never);
        EXPECT_EQ(ran, turn);
    }
}

TEST_P(turn_end_contract, several_come_in_the_order_of_the_requests) {
    std::string said;
    at_end one{[&] { said += "one "; }};
    at_end two{[&] { said += "two "; }};
    at_end three{[&] {
        said += "three ";
        engine().at_turn_end(one);
    }};
    engine().at_turn_end(three);
    engine().at_turn_end(one);
    engine().at_turn_end(two);
    engine().run_once(io::time_point::min());
    EXPECT_EQ(said, "three one two ");
    // It was asked for when it already stood in the list of this turn.
    engine().run_once(io::time_point::min());
    EXPECT_EQ(said, "three one two ");
}

TEST_P(turn_end_contract, the_dead_are_not_called) {
    int ran = 0;
    auto dies_before = std::make_unique<at_end>([&] { ++ran; });
    auto dies_meanwhile = std::make_unique<at_end>([&] { ++ran; });
    at_end kills{[&] { dies_meanwhile.reset(); }};
    at_end lives{[&] { ran += 10; }};
    engine().at_turn_end(*dies_before);
    engine().at_turn_end(kills);
    engine().at_turn_end(*dies_meanwhile);
    engine().at_turn_end(lives);
    dies_before.reset();
    engine().run_once(io::time_point::min());
    EXPECT_EQ(ran, 10);
}

TEST_P(turn_end_contract, what_it_makes_ready_goes_on_next_turn) {
    bool over = false;
    std::unique_ptr<coro::context> waits;
    at_end end{[&] { waits->cancel(); }};
    waits = std::make_unique<coro::context>(engine().ready());
    coro::scope all{*waits};
    auto sleeper = [](io::engine& e, bool& woke) -> coro::task<> {
        static_cast<void>(co_await io::sleep_until{e, io::never});
        woke = true;
    };
    all.spawn(sleeper(engine(), over));
    engine().run_once(io::time_point::min());
    engine().at_turn_end(end);
    engine().run_once(io::time_point::min());
    EXPECT_FALSE(over);
    engine().run_once(io::never);
    EXPECT_TRUE(over);
}

}  // namespace
}  // namespace sluice::test
