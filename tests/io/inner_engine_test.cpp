// An epoll engine that runs within the waits of a blocking engine.
#include "sluice/io/inner_engine.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <optional>

#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/loop_counters.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::io {
namespace {

using namespace std::chrono_literals;

class inner : public ::testing::Test {
 protected:
    void SetUp() override {
        auto made = blocking_engine::create({});
        ASSERT_TRUE(made);
        outer_ = std::move(*made);
        auto within =
            inner_engine::create(static_cast<blocking_engine&>(*outer_), {.published = &published});
        ASSERT_TRUE(within);
        inner_ = std::move(*within);
        root.emplace(inner_->engine().ready());
        running.emplace(*root);
    }
    void TearDown() override {
        root->cancel();
        while (running->size() > 0) inner_->engine().run_once(never);
        running.reset();
        root.reset();
    }

    [[nodiscard]] engine& outer() { return *outer_; }
    [[nodiscard]] engine& within() { return inner_->engine(); }
    void begin(coro::task<void> task) {
        ASSERT_TRUE(running->spawn(std::move(task)));
        inner_->run();
    }

    loop_counters published;
    std::optional<coro::context> root;
    std::optional<coro::scope> running;

 private:
    std::unique_ptr<engine> outer_;
    std::unique_ptr<inner_engine> inner_;
};

TEST_F(inner, a_timer_fires_while_the_outer_engine_waits) {
    bool done = false;
    const auto sleep = [&]() -> coro::task<void> {
        for (int i = 0; i < 3; ++i) co_await sleep_for(within(), 1ms);
        done = true;
    };
    begin(sleep());
    EXPECT_FALSE(done);
    outer().block_until(done);
    EXPECT_TRUE(done);
}

TEST_F(inner, a_socket_is_served_while_the_outer_engine_waits_for_another) {
    auto pair = test::tcp_pair();
    bool done = false;
    net::connection peer{within(), std::move(pair.ours)};
    const auto echo = [&]() -> coro::task<void> {
        std::array<std::byte, 16> bytes{};
        const auto got = co_await peer.recv_into(bytes);
        if (got) static_cast<void>(co_await peer.send_all(const_bytes{bytes}.first(*got)));
        co_await peer.close();
        done = true;
    };
    begin(echo());
    test::write_all(pair.theirs.get(), "hello");
    // The outer engine's own coroutine is in the middle of a wait for a socket that is silent.
    auto silent = test::tcp_pair();
    const auto wait = [&]() -> coro::task<result<std::size_t>> {
        net::connection other{outer(), std::move(silent.ours)};
        std::array<std::byte, 1> byte{};
        co_return co_await with_timeout(outer(), other.recv_into(byte), 500ms);
    };
    const auto waited = run(outer(), wait());
    EXPECT_FALSE(waited);
    EXPECT_TRUE(done);
    EXPECT_EQ(test::read_to_end(pair.theirs.get()), "hello");
}

TEST_F(inner, it_works_in_place_so_that_no_thread_is_started) {
    offload_pool pool{{.workers = 1}};
    const auto here = ::gettid();
    pid_t there = 0;
    const auto work = [&]() -> coro::task<void> {
        static_cast<void>(co_await pool.run(within(), [&there] {
            there = ::gettid();
            return 0;
        }));
    };
    begin(work());
    EXPECT_EQ(there, here);
}

TEST_F(inner, its_loop_is_published) {
    bool done = false;
    const auto sleep = [&]() -> coro::task<void> {
        co_await sleep_for(within(), 1ms);
        // In another turn, however late the first was.
        co_await sleep_for(within(), 1ms);
        done = true;
    };
    begin(sleep());
    outer().block_until(done);
    EXPECT_GE(published.turns, 2U);
    EXPECT_GE(published.resumed, 1U);
    EXPECT_EQ(published.busy_since, 0);
    std::uint64_t counted = 0;
    for (const auto each : published.busy.read().counts) counted += each;
    EXPECT_EQ(counted, published.turns);
}

}  // namespace
}  // namespace sluice::io
