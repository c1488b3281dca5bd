// Fibers and virtual time: chosen by the seed, equal for equal seeds, and ended by a report if they
// do not end.
#include "sluice/sim/scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "sluice/os/clock.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/thread.hpp"
#include "sluice/sim/world.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr int threads = 4;
constexpr int rounds = 20;

/// Threads that take turns at a counter; the order of their turns.
std::string order_of_turns(std::uint64_t seed, std::uint64_t& hash) {
    std::string order;
    sim::world w{quiet(seed)};
    w.start_process("turns", [&] {
        os::mutex lock;
        os::condition changed;
        int turns = 0;
        std::vector<os::thread> all(threads);
        for (int i = 0; i < threads; ++i) {
            const auto started = all[static_cast<std::size_t>(i)].start([&, i]() noexcept {
                for (int round = 0; round < rounds; ++round) {
                    std::unique_lock held{lock};
                    order += static_cast<char>('a' + i);
                    ++turns;
                    changed.notify_all();
                    held.unlock();
                    os::sys().yield();
                }
            });
            EXPECT_TRUE(started);
        }
        {
            std::unique_lock held{lock};
            changed.wait(held, [&] { return turns == threads * rounds; });
        }
        for (os::thread& t : all) t.join();
    });
    w.run();
    hash = w.trace_hash();
    return order;
}

TEST(simulated_threads, take_turns_as_the_seed_says) {
    std::set<std::string> orders;
    std::set<std::uint64_t> hashes;
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        std::uint64_t first = 0;
        std::uint64_t second = 0;
        const std::string order = order_of_turns(seed, first);
        EXPECT_EQ(order_of_turns(seed, second), order);
        EXPECT_EQ(first, second);
        EXPECT_EQ(order.size(), std::size_t{threads * rounds});
        orders.insert(order);
        hashes.insert(first);
    }
    EXPECT_GT(orders.size(), 45U);
    EXPECT_EQ(hashes.size(), 50U);
}

TEST(simulated_threads, have_a_trace_that_can_be_read) {
    sim::world w{{.seed = 3, .faults = sim::fault_rates{}, .keep_trace = true}};
    w.start_process("one", [] { static_cast<void>(os::sys().close(77)); });
    w.run();
    EXPECT_THAT(w.kernel().trace().text(), ::testing::HasSubstr("1/1 close(77) = EBADF\n"));
    EXPECT_THAT(w.kernel().trace().text(), ::testing::HasSubstr("exit(0, 'one') = 0\n"));
}

TEST(simulated_threads, are_waited_for_while_others_start) {
    sim::world w{quiet(1)};
    bool joined = false;
    w.start_process("starts", [&] {
        os::thread first;
        ASSERT_TRUE(first.start([]() noexcept {
            // More than the list of threads has room for.
            for (int i = 0; i < 100; ++i) {
                os::thread one;
                if (!one.start([]() noexcept {})) return;
                one.join();
            }
        }));
        first.join();
        joined = true;
    });
    w.run();
    EXPECT_TRUE(joined);
}

TEST(simulated_time, passes_only_while_all_wait) {
    sim::world w{quiet(1)};
    w.start_process("sleeper", [] {
        os::mutex lock;
        os::condition never_told;
        const auto begun = os::clock::now();
        std::unique_lock held{lock};
        EXPECT_FALSE(never_told.wait_for(held, 30min, [] { return false; }));
        const auto slept = os::clock::now() - begun;
        EXPECT_GE(slept, 30min);
        EXPECT_LT(slept, 30min + 1ms);
    });
    w.run();
}

TEST(simulated_time, passes_in_calls_that_do_not_wait) {
    sim::world w{quiet(1)};
    w.start_process("spinner", [] {
        const auto until = os::clock::now() + 1ms;
        while (os::clock::now() < until) os::sys().yield();
    });
    w.run();
}

TEST(simulated_time, gives_events_of_one_time_in_any_order) {
    std::set<std::string> orders;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        std::string order;
        sim::world w{quiet(seed)};
        w.start_process("waits", [&] { w.kernel().take_time(2 * sim::a_second, "sleep"); });
        for (const char c : {'a', 'b', 'c'}) w.after(sim::a_second, [&order, c] { order += c; });
        w.run();
        orders.insert(order);
    }
    EXPECT_EQ(orders.size(), 6U);
}

TEST(simulated_world, heals_a_core_and_leaves_the_rest_as_it_is) {
    constexpr int all_turns = 1000;
    sim::world w{quiet(1)};
    int in_core = 0;
    int outside = 0;
    const auto counts = [](int& turns) {
        return [&turns] {
            for (; turns < all_turns; ++turns) os::sleep_for(1ms);
        };
    };
    sim::process& core = w.start_process("core", counts(in_core));
    sim::process& rest = w.start_process("rest", counts(outside));
    w.start_process("director", [&] {
        auto& scheduler = w.kernel().scheduler();
        os::sleep_for(10ms);
        for (sim::process* each : {&core, &rest}) {
            scheduler.hold(*each, scheduler.now() + 5 * sim::a_second);
        }
        const int so_far = outside;
        w.kernel().heal([&](const sim::process& p) { return &p == &rest; });
        os::sleep_for(20s);
        EXPECT_EQ(in_core, all_turns);
        EXPECT_EQ(outside, so_far);
        scheduler.stop();
    });
    w.run();
}

TEST(simulated_world, reports_a_deadlock) {
    const auto deadlock = [] {
        sim::world w{quiet(42)};
        w.start_process("waits", [] {
            const int fd = os::sys().eventfd(0, 0);
            std::uint64_t value = 0;
            static_cast<void>(os::sys().read(fd, std::as_writable_bytes(std::span{&value, 1})));
        });
        w.run();
    };
    EXPECT_DEATH(deadlock(),
                 "deadlock(.|\n)*eventfd(.|\n)*waits in read\\(3\\) without a deadline"
                 "(.|\n)*seed 42");
}

TEST(simulated_world, reports_a_deadlock_of_mutexes) {
    const auto deadlock = [] {
        sim::world w{quiet(1)};
        w.start_process("locks", [] {
            os::mutex lock;
            lock.lock();
            lock.lock();
        });
        w.run();
    };
    EXPECT_DEATH(deadlock(), "deadlock(.|\n)*waits in lock_contended");
}

TEST(simulated_world, reports_a_livelock) {
    const auto livelock = [] {
        sim::world w{quiet(1)};
        w.kernel().scheduler().bounds().switches = 1000;
        w.start_process("spins", [] {
            for (;;) os::sys().yield();
        });
        w.run();
    };
    EXPECT_DEATH(livelock(), "livelock(.|\n)*seed 1");
}

}  // namespace
}  // namespace sluice::test
