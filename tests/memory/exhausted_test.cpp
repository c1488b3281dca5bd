// Where the nth allocation fails, for each n: an error that says so, nothing lost, nothing broken.
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/term/console.hpp"
#include "tests/memory/allocations.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr auto no_memory = error::system(ENOMEM);

class exhausted : public engine_test {
 protected:
    /// Runs `scenario(n)` for n = 1, 2, 3 ... until it says that nothing has failed. Each in a
    /// thread of its own, which has no frames in store.
    template <class F>
    void for_each_failure(F scenario) {
        bool failed = true;
        std::size_t n = 1;
        for (; failed; ++n) {
            ASSERT_LT(n, 1000U) << "it never gets through";
            std::thread fresh{[&] { failed = scenario(n); }};
            fresh.join();
        }
        EXPECT_GT(n, 2U) << "nothing was allocated, so nothing was tested";
    }
    std::unique_ptr<io::engine> new_engine() {
        auto made = io::make_engine(kind(), flavoured());
        EXPECT_TRUE(made);
        return std::move(*made);
    }
};
INSTANTIATE_TEST_SUITE_P(on, exhausted, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(exhausted, a_task_that_cannot_begin_is_an_error) {
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        bool failed = false;
        auto outer = [&]() -> coro::task<> {
            auto inner = []() -> coro::task<result<int>> {
                auto innermost = []() -> coro::task<result<int>> { co_return 1; };
                auto got = co_await innermost();
                if (!got) co_return failure(got.error());
                co_return *got + 1;
            };
            const failing_allocation failure_at{n};
            auto got = co_await inner();
            failed = failure_at.has_failed();
            EXPECT_EQ(got.has_value(), !failed);
            if (!got) {
                EXPECT_EQ(got.error(), no_memory);
            }
        };
        io::run(*e, outer());
        return failed;
    });
}

TEST_P(exhausted, a_child_that_cannot_begin_is_an_error) {
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        bool failed = false;
        auto outer = [&]() -> coro::task<> {
            int ran = 0;
            int refused = 0;
            auto child = [](int& count) -> coro::task<> {
                ++count;
                co_return;
            };
            coro::scope s{co_await coro::this_context()};
            {
                const failing_allocation failure_at{n};
                for (int i = 0; i < 3; ++i) {
                    auto spawned = s.spawn(child(ran));
                    if (spawned) continue;
                    EXPECT_EQ(spawned.error(), no_memory);
                    ++refused;
                }
                failed = failure_at.has_failed();
            }
            EXPECT_EQ(ran + refused, 3);
            EXPECT_EQ(refused, failed ? 1 : 0);
            co_await s.join();
        };
        io::run(*e, outer());
        return failed;
    });
}

TEST_P(exhausted, a_message_is_read_on_the_next_try) {
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        auto pair = local_pair();
        write_all(pair.theirs.get(), "one\ntw");
        bool failed = false;
        auto outer = [&]() -> coro::task<> {
            net::connection c{*e, std::move(pair.ours)};
            net::framed<net::connection> messages{c, wire::framing::line, 1000};
            std::vector<std::string> got;
            got.reserve(10);
            {
                const failing_allocation failure_at{n};
                for (int tries = 0; tries < 2 && got.empty(); ++tries) {
                    auto found = co_await io::with_timeout(*e, messages.next(), 10s);
                    if (found && *found) {
                        got.emplace_back((*found)->text);
                    } else {
                        EXPECT_EQ(found.error(), no_memory);
                    }
                }
                failed = failure_at.has_failed();
            }
            EXPECT_THAT(got, ::testing::ElementsAre("one"));
            co_await c.close();
        };
        io::run(*e, outer());
        return failed;
    });
}

TEST_P(exhausted, a_connection_is_made_and_accepted_on_the_next_try) {
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        auto socket = net::listen(*net::address::parse("127.0.0.1:0"));
        net::listener service{*e, std::move(*socket)};
        const auto where = *service.local();
        bool failed = false;
        auto outer = [&]() -> coro::task<> {
            {
                const failing_allocation failure_at{n};
                auto made = co_await net::dial(*e, where);
                if (!made) {
                    EXPECT_EQ(made.error(), no_memory);
                    made = co_await net::dial(*e, where);
                }
                EXPECT_TRUE(made);
                auto accepted = co_await service.accept();
                if (!accepted) {
                    EXPECT_EQ(accepted.error(), no_memory);
                    accepted = co_await service.accept();
                }
                EXPECT_TRUE(accepted);
                failed = failure_at.has_failed();
            }
            co_await service.close();
        };
        io::run(*e, outer());
        return failed;
    });
}

TEST_P(exhausted, a_crowd_of_clients_is_served_or_refused) {
    // More than an engine that accepts ahead can keep without asking for memory.
    constexpr std::size_t crowd = 70;
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        auto socket = net::listen(*net::address::parse("127.0.0.1:0"));
        net::listener service{*e, std::move(*socket)};
        std::vector<unique_fd> peers;
        std::vector<unique_fd> served;
        served.reserve(crowd);
        for (std::size_t i = 0; i < crowd; ++i)
            peers.push_back(connect_to(service.local()->port()));
        bool failed = false;
        auto outer = [&]() -> coro::task<> {
            {
                const failing_allocation failure_at{n};
                for (;;) {
                    // Long beside the pause that a shortage costs.
                    auto accepted = co_await io::with_timeout(*e, service.accept(), 500ms);
                    if (accepted) {
                        served.push_back(std::move(*accepted));
                        if (served.size() == crowd) break;
                    } else if (accepted.error() != no_memory) {
                        break;
                    }
                }
                failed = failure_at.has_failed();
            }
            co_await service.close();
        };
        io::run(*e, outer());
        // Clients that were not served have been closed: none waits for ever.
        std::size_t refused = 0;
        for (const auto& fd : served) write_all(fd.get(), "x");
        served.clear();
        for (const auto& peer : peers) {
            if (read_to_end(peer.get()).empty()) ++refused;
        }
        EXPECT_LE(refused, 2U);
        EXPECT_EQ(refused > 0, service.counted().pauses > 0);
        return failed;
    });
}

TEST_P(exhausted, input_is_read_on_the_next_try) {
    for_each_failure([&](std::size_t n) {
        const auto e = new_engine();
        auto pair = local_pair();
        write_all(pair.theirs.get(), "typed");
        auto input = term::console::open(*e, pair.ours.get());
        EXPECT_TRUE(input);
        bool failed = false;
        auto outer = [&]() -> coro::task<> {
            const failing_allocation failure_at{n};
            auto got = co_await (*input)->recv();
            if (!got) {
                EXPECT_EQ(got.error(), no_memory);
                got = co_await (*input)->recv();
            }
            EXPECT_TRUE(got && got->text() == "typed");
            failed = failure_at.has_failed();
        };
        io::run(*e, outer());
        return failed;
    });
}

}  // namespace
}  // namespace sluice::test
