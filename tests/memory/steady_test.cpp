// Once warm, nothing that is done for each message or connection calls the allocator.
#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "sluice/base/sanitizer.hpp"
#include "sluice/coro/channel.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/remote.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/framed.hpp"
#include "sluice/net/listener.hpp"
#include "tests/memory/allocations.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr int warm_up = 300;
constexpr int rounds = 2'000;
constexpr std::string_view line = "a message that fits in no small string\n";

/// Echoes lines by plain calls until the end of the stream, without allocating.
void echo(int fd) {
    std::array<char, 256> buffer{};
    for (;;) {
        const auto n = ::read(fd, buffer.data(), buffer.size());
        if (n <= 0) return;
        write_all(fd, {buffer.data(), static_cast<std::size_t>(n)});
    }
}

class steady : public engine_test {
 protected:
    /// The other side: a thread of plain calls, which every engine can talk to.
    struct peer {
        peer() : thread{[this] { echo(pair.theirs.get()); }} {}
        peer(const peer&) = delete;
        peer& operator=(const peer&) = delete;
        ~peer() { thread.join(); }
        socket_pair pair = local_pair();
        std::thread thread;
    };

    /// Warms up, and then counts what `count` calls of `make`'s coroutine allocate.
    template <class F>
    coro::task<std::size_t> counted(F make, int count = rounds) {
        for (int i = 0; i < warm_up; ++i) co_await make();
        const auto before = allocations();
        for (int i = 0; i < count; ++i) co_await make();
        co_return allocations() - before;
    }
};
INSTANTIATE_TEST_SUITE_P(on, steady, ::testing::ValuesIn(every_engine()), engine_name);

/// The same with tasks: their frames are not kept under the address sanitizer.
class steady_tasks : public steady {
 protected:
    void SetUp() override {
        if (address_sanitizer) GTEST_SKIP() << "frames are not kept under the address sanitizer";
        steady::SetUp();
    }
};
INSTANTIATE_TEST_SUITE_P(on, steady_tasks, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(steady, echoed_messages) {
    peer other;
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(other.pair.ours)};
        std::size_t before = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            if (i == 0) before = allocations();
            auto sent = co_await c.send_all(line);
            EXPECT_TRUE(sent);
            for (std::size_t had = 0; had < line.size();) {
                auto got = co_await c.recv();
                EXPECT_TRUE(got);
                if (!got || got->empty()) co_return;
                had += got->bytes().size();
            }
        }
        EXPECT_EQ(allocations() - before, 0U);
        co_await c.close();
    });
}

TEST_P(steady, messages_into_memory_with_a_deadline) {
    peer other;
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(other.pair.ours)};
        std::array<std::byte, 256> buffer{};
        std::size_t before = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            if (i == 0) before = allocations();
            auto sent = co_await io::with_timeout(engine(), c.send(as_bytes(line)), 1h);
            EXPECT_TRUE(sent);
            for (std::size_t had = 0; had < line.size();) {
                auto got = co_await io::with_timeout(engine(), c.recv_into(buffer), 1h);
                EXPECT_TRUE(got);
                if (!got || *got == 0) co_return;
                had += *got;
            }
        }
        EXPECT_EQ(allocations() - before, 0U);
        co_await c.close();
    });
}

TEST_P(steady_tasks, framed_messages) {
    peer other;
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(other.pair.ours)};
        net::framed<net::connection> messages{c, wire::framing::line, 1000};
        auto exchange = [&]() -> coro::task<> {
            auto sent = co_await c.send_all(line);
            EXPECT_TRUE(sent);
            auto found = co_await io::with_timeout(engine(), messages.next(), 1h);
            EXPECT_TRUE(found && *found);
        };
        auto made = co_await counted(exchange);
        EXPECT_EQ(made, 0U);
        co_await c.close();
    });
}

TEST_P(steady_tasks, tasks_scopes_and_sleeps) {
    run([&]() -> coro::task<> {
        auto sleep = [&]() -> coro::task<> {
            auto slept = co_await io::sleep_for(engine(), 0ms);
            EXPECT_TRUE(slept);
        };
        auto child = [&]() -> coro::task<result<int>> {
            co_await sleep();
            co_return 1;
        };
        auto round = [&]() -> coro::task<> {
            coro::scope s{co_await coro::this_context()};
            s.spawn(sleep());
            s.spawn(sleep());
            auto one = co_await io::with_timeout(engine(), child(), 1h);
            EXPECT_TRUE(one);
            co_await s.join();
        };
        auto made = co_await counted(round);
        EXPECT_EQ(made, 0U);
    });
}

TEST_P(steady, calls_of_another_thread) {
    auto shard = io::shard::start({.kind = kind(), .engine = flavoured(), .cpu = {}},
                                  [](io::engine& e) -> coro::task<> {
                                      auto slept = co_await io::sleep_until{e, io::never};
                                      static_cast<void>(slept);
                                  });
    ASSERT_TRUE(shard);
    run([&]() -> coro::task<> {
        std::size_t before = 0;
        std::size_t before_there = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            auto there = co_await io::call_on(engine(), (*shard)->engine(), &allocations);
            if (i == 0) {
                before = allocations();
                before_there = there;
            }
            if (i >= 0) {
                EXPECT_EQ(there - before_there, 0U);
            }
        }
        EXPECT_EQ(allocations() - before, 0U);
    });
}

TEST_P(steady, offloaded_work) {
    io::offload_pool pool{{.workers = 1, .queue = 4}};
    run([&]() -> coro::task<> {
        std::size_t before = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            if (i == 0) before = allocations();
            auto done = co_await pool.run(engine(), [] { return 1; });
            EXPECT_TRUE(done);
        }
        EXPECT_EQ(allocations() - before, 0U);
    });
}

class steady_loop : public steady {};
INSTANTIATE_TEST_SUITE_P(on, steady_loop, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(steady_loop, coroutines_that_talk_to_each_other) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        auto echo_all = [](io::engine& e, unique_fd fd) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            for (;;) {
                auto got = co_await c.recv();
                if (!got || got->empty()) break;
                auto sent = co_await c.send_all(got->bytes());
                if (!sent) break;
            }
            co_await c.close();
        };
        coro::scope s{co_await coro::this_context()};
        s.spawn(echo_all(engine(), std::move(theirs)));
        net::connection c{engine(), std::move(ours)};
        std::size_t before = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            if (i == 0) before = allocations();
            auto sent = co_await c.send_all(line);
            EXPECT_TRUE(sent);
            auto got = co_await c.recv();
            EXPECT_TRUE(got);
        }
        EXPECT_EQ(allocations() - before, 0U);
        co_await c.close();
        co_await s.join();
    });
}

TEST_P(steady_loop, channels) {
    run([&]() -> coro::task<> {
        coro::channel<int> there{1};
        coro::channel<int> back{1};
        auto reflect = [](coro::channel<int>& from, coro::channel<int>& to) -> coro::task<> {
            for (;;) {
                auto next = co_await from.receive();
                if (!next) co_return;
                auto sent = co_await to.send(*next);
                EXPECT_TRUE(sent);
            }
        };
        coro::scope s{co_await coro::this_context()};
        s.spawn(reflect(there, back));
        std::size_t before = 0;
        for (int i = -warm_up; i < rounds; ++i) {
            if (i == 0) before = allocations();
            auto sent = co_await there.send(i);
            EXPECT_TRUE(sent);
            auto got = co_await back.receive();
            EXPECT_EQ(got.value_or(-1), i);
        }
        EXPECT_EQ(allocations() - before, 0U);
        there.close();
        co_await s.join();
    });
}

class steady_loop_tasks : public steady_tasks {};
INSTANTIATE_TEST_SUITE_P(on, steady_loop_tasks, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(steady_loop_tasks, connections_that_come_and_go) {
    run([&]() -> coro::task<> {
        auto socket = net::listen(*net::address::parse("127.0.0.1:0"));
        EXPECT_TRUE(socket);
        net::listener listener{engine(), std::move(*socket)};
        const auto where = *listener.local();
        auto serve = [&]() -> coro::task<> {
            auto accepted = co_await listener.accept();
            EXPECT_TRUE(accepted);
            if (!accepted) co_return;
            net::connection c{engine(), std::move(*accepted)};
            auto got = co_await c.recv();
            EXPECT_TRUE(got);
            if (got) {
                auto sent = co_await c.send_all(got->bytes());
                EXPECT_TRUE(sent);
            }
            co_await c.close();
        };
        auto connect_and_close = [&]() -> coro::task<> {
            coro::scope s{co_await coro::this_context()};
            s.spawn(serve());
            auto made = co_await net::dial(engine(), where);
            EXPECT_TRUE(made);
            if (!made) co_return;
            net::connection c{engine(), std::move(*made)};
            auto sent = co_await c.send_all(line);
            EXPECT_TRUE(sent);
            auto got = co_await c.recv();
            EXPECT_TRUE(got);
            c.set_linger_reset();
            co_await c.close();
            co_await s.join();
        };
        auto made = co_await counted(connect_and_close, 300);
        EXPECT_EQ(made, 0U);
        co_await listener.close();
    });
}

}  // namespace
}  // namespace sluice::test
