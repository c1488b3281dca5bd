// Work on other threads: it comes back, the queue has an end, and what has not begun can be undone.
#include "sluice/io/offload.hpp"

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class offload_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, offload_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(offload_contract, gives_what_the_work_returned) {
    io::offload_pool pool{{.workers = 2, .queue = 8}};
    run([&]() -> coro::task<> {
        auto text = co_await pool.run(engine(), [] { return std::string(100, 'r'); });
        EXPECT_TRUE(text);
        EXPECT_EQ(text.value_or(""), std::string(100, 'r'));
        int ran = 0;
        auto nothing = co_await pool.run(engine(), [&ran] { ++ran; });
        EXPECT_EQ(shown(nothing), "(ok)");
        EXPECT_EQ(ran, 1);
    });
}

TEST_P(offload_contract, runs_elsewhere_unless_the_engine_blocks_anyway) {
    io::offload_pool pool{{.workers = 1, .queue = 8}};
    const auto caller = std::this_thread::get_id();
    run([&]() -> coro::task<> {
        auto there = co_await pool.run(engine(), [] { return std::this_thread::get_id(); });
        EXPECT_TRUE(there);
        EXPECT_EQ(there.value_or(std::thread::id{}) == caller, blocks());
        EXPECT_EQ(std::this_thread::get_id(), caller);
    });
}

TEST_P(offload_contract, does_not_begin_in_a_cancelled_context) {
    io::offload_pool pool{{.workers = 1, .queue = 8}};
    coro::context root{engine().ready()};
    root.cancel();
    bool ran = false;
    io::run(
        engine(),
        [](io::engine& e, io::offload_pool& p, bool& began) -> coro::task<> {
            auto refused = co_await p.run(e, [&began] { began = true; });
            EXPECT_EQ(shown(refused), "(cancelled)");
        }(engine(), pool, ran),
        root);
    EXPECT_FALSE(ran);
}

TEST_P(offload_contract, many_jobs_come_back_from_many_workers) {
    constexpr std::size_t jobs = 2000;
    io::offload_pool pool{{.workers = 4, .queue = jobs}};
    std::size_t sum = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto one = [](io::engine& e, io::offload_pool& p, std::size_t i,
                      std::size_t& total) -> coro::task<> {
            auto done = co_await p.run(e, [i] { return i; });
            EXPECT_TRUE(done);
            total += done.value_or(0);
        };
        for (std::size_t i = 0; i < jobs; ++i) all.spawn(one(engine(), pool, i, sum));
        co_await all.join();
    });
    EXPECT_EQ(sum, jobs * (jobs - 1) / 2);
}

TEST_P(offload_contract, the_pool_may_outlive_the_engine) {
    io::offload_pool pool{{.workers = 2, .queue = 8}};
    for (int i = 0; i < 100; ++i) {
        auto made = io::make_engine(kind(), {.buffers = {.count = 1, .size = 64}});
        ASSERT_TRUE(made);
        auto once = [](io::engine& e, io::offload_pool& p) -> coro::task<> {
            auto done = co_await p.run(e, [] { return 1; });
            EXPECT_TRUE(done);
        };
        io::run(**made, once(**made, pool));
    }
}

// ----- a queue that fills up

/// Keeps one worker busy until it is let go.
class plug {
 public:
    void operator()() {
        began_.set_value();
        go_.get_future().wait();
    }
    void wait_until_it_began() { began_.get_future().wait(); }
    void release() { go_.set_value(); }

 private:
    std::promise<void> began_;
    std::promise<void> go_;
};

class offload_queue_contract : public engine_test {
 protected:
    io::offload_pool pool{{.workers = 1, .queue = 2}};
    plug busy;

    coro::task<> keep_busy() {
        auto done = co_await pool.run(engine(), [this] { busy(); });
        EXPECT_EQ(shown(done), "(ok)");
    }
    coro::task<> work(std::string& seen, int& ran) {
        auto done = co_await pool.run(engine(), [&ran] { ++ran; });
        seen = shown(done);
    }
};
INSTANTIATE_TEST_SUITE_P(on, offload_queue_contract, ::testing::ValuesIn(every_loop()),
                         engine_name);

TEST_P(offload_queue_contract, refuses_what_does_not_fit) {
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        all.spawn(keep_busy());
        busy.wait_until_it_began();
        std::vector<std::string> seen(4);
        int ran = 0;
        for (auto& s : seen) all.spawn(work(s, ran));
        EXPECT_EQ(pool.queued(), 2U);
        EXPECT_THAT(seen,
                    ::testing::ElementsAre("", "", "(the queue is full)", "(the queue is full)"));
        busy.release();
        co_await all.join();
        EXPECT_THAT(seen, ::testing::ElementsAre("(ok)", "(ok)", "(the queue is full)",
                                                 "(the queue is full)"));
        EXPECT_EQ(ran, 2);
        EXPECT_EQ(pool.queued(), 0U);
    });
}

TEST_P(offload_queue_contract, a_cancel_undoes_what_has_not_begun) {
    run([&]() -> coro::task<> {
        coro::scope others{co_await coro::this_context()};
        others.spawn(keep_busy());
        busy.wait_until_it_began();
        coro::scope all{co_await coro::this_context()};
        std::vector<std::string> seen(2);
        int ran = 0;
        for (auto& s : seen) all.spawn(work(s, ran));
        EXPECT_EQ(pool.queued(), 2U);
        all.cancel();
        EXPECT_EQ(pool.queued(), 0U);
        co_await all.join();
        EXPECT_THAT(seen, ::testing::Each("(cancelled)"));
        // There is space again.
        std::string next;
        others.spawn(work(next, ran));
        EXPECT_EQ(pool.queued(), 1U);
        busy.release();
        co_await others.join();
        EXPECT_EQ(next, "(ok)");
        EXPECT_EQ(ran, 1);
    });
}

TEST_P(offload_queue_contract, what_has_begun_runs_to_its_end) {
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        all.spawn(keep_busy());
        busy.wait_until_it_began();
        all.cancel();
        co_await io::sleep_for(engine(), 0ms);
        EXPECT_EQ(all.size(), 1U);
        busy.release();
        co_await all.join();
    });
}

TEST_P(offload_queue_contract, a_job_that_has_not_begun_ends_with_the_frame_that_awaits_it) {
    coro::context root{engine().ready()};
    run([&]() -> coro::task<> {
        coro::scope others{co_await coro::this_context()};
        others.spawn(keep_busy());
        busy.wait_until_it_began();
        std::string seen;
        int ran = 0;
        for (const bool was_cancelled : {false, true}) {
            auto queued = work(seen, ran);
            queued.set_context(root);
            auto handle = queued.release();
            handle.resume();
            EXPECT_EQ(pool.queued(), 1U);
            if (was_cancelled) root.cancel();
            handle.destroy();
            EXPECT_EQ(pool.queued(), 0U);
        }
        busy.release();
        co_await others.join();
        EXPECT_EQ(ran, 0);
        EXPECT_EQ(seen, "");
    });
}

}  // namespace
}  // namespace sluice::test
