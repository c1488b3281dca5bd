// Ending an operation early, at every stage that it can be in: what was done by then stands.
#include <sys/socket.h>

#include <chrono>
#include <string>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class cancel_contract : public engine_test {
 protected:
    /// What a child saw of its one read.
    coro::task<> read_once(net::connection& c, std::string& seen) {
        auto got = co_await c.recv();
        seen = shown(got);
    }
    coro::task<> read_into_once(net::connection& c, std::string& seen) {
        std::string buffer(16, '.');
        auto got = co_await c.recv_into(std::as_writable_bytes(std::span{buffer}));
        seen = got ? buffer.substr(0, *got) : shown(got);
    }
};
INSTANTIATE_TEST_SUITE_P(on, cancel_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(cancel_contract, right_after_the_start) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string seen;
        coro::scope reader{co_await coro::this_context()};
        reader.spawn(read_once(c, seen));
        reader.cancel();
        co_await reader.join();
        EXPECT_EQ(seen, "(cancelled)");
        // Nothing is lost by it.
        write_all(theirs.get(), "after");
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "after");
        co_await c.close();
    });
}

TEST_P(cancel_contract, while_it_waits) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string seen;
        coro::scope reader{co_await coro::this_context()};
        reader.spawn(read_into_once(c, seen));
        for (int i = 0; i < 3; ++i) co_await io::sleep_for(engine(), 0ms);
        EXPECT_EQ(seen, "");
        reader.cancel();
        co_await reader.join();
        EXPECT_EQ(seen, "(cancelled)");
        co_await c.close();
    });
}

TEST_P(cancel_contract, comes_too_late_for_what_has_completed) {
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        for (const bool stream : {true, false}) {
            std::string seen;
            coro::scope reader{co_await coro::this_context()};
            if (!stream) {
                // The next one is for one who reads into memory: the stream must be out of its way.
                write_all(theirs.get(), "first");
            }
            write_all(theirs.get(), "done");
            reader.spawn(read_once(c, seen));
            // Taken in by the engine in this turn, and resumed behind this step.
            later.begin({[&] { reader.cancel(); }});
            co_await reader.join();
            if (stream) {
                EXPECT_EQ(seen, "done");
            }
        }
        co_await c.close();
    });
}

TEST_P(cancel_contract, what_became_ready_in_the_turn_of_the_cancel_is_done) {
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string seen;
        coro::scope reader{co_await coro::this_context()};
        reader.spawn(read_into_once(c, seen));
        // The bytes are there before the wait of the next turn, and the cancel comes after it.
        later.begin({[] {}, [&] { write_all(theirs.get(), "done"); }, [&] { reader.cancel(); }});
        co_await reader.join();
        EXPECT_EQ(seen, "done");
        co_await c.close();
    });
}

TEST_P(cancel_contract, a_false_alarm_does_not_swallow_a_deadline) {
    // Both come in one turn: readiness, for bytes that another reader of the socket then takes, and
    // the deadline.
    auto [ours, theirs] = local_pair();
    const unique_fd other{::dup(ours.get())};
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        const auto deadline = io::clock::now() + 2ms;
        later.begin({[] {},
                     [&] {
                         write_all(theirs.get(), "x");
                         while (io::clock::now() <= deadline) continue;
                     },
                     [&] { static_cast<void>(read_what_is_there(other.get())); }});
        auto read = [](io::engine& e, net::connection& from,
                       io::time_point when) -> coro::task<result<io::lease>> {
            co_return co_await io::with_deadline(e, from.recv(), when);
        };
        auto got = co_await io::with_timeout(engine(), read(engine(), c, deadline), 40s);
        // io_uring may have received them before the other one.
        EXPECT_TRUE(shown(got) == "(the deadline passed)" || shown(got) == "x") << shown(got);
        EXPECT_LT(io::clock::now(), deadline + 20s);
        co_await c.close();
    });
}

TEST_P(cancel_contract, of_a_scope_reaches_every_child) {
    constexpr int children = 100;
    run([&]() -> coro::task<> {
        std::vector<socket_pair> pairs;
        std::vector<std::unique_ptr<net::connection>> connections;
        std::vector<std::string> seen(children);
        coro::scope readers{co_await coro::this_context()};
        for (int i = 0; i < children; ++i) {
            pairs.push_back(local_pair());
            connections.push_back(
                std::make_unique<net::connection>(engine(), std::move(pairs.back().ours)));
            readers.spawn(read_once(*connections.back(), seen.at(static_cast<std::size_t>(i))));
        }
        co_await io::sleep_for(engine(), 0ms);
        EXPECT_EQ(readers.size(), 100U);
        readers.cancel();
        co_await readers.join();
        EXPECT_EQ(readers.size(), 0U);
        EXPECT_THAT(seen, ::testing::Each("(cancelled)"));
        for (auto& c : connections) co_await c->close();
    });
}

}  // namespace
}  // namespace sluice::test
