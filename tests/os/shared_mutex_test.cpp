// A lock that many threads share, or one has alone.
#include "sluice/os/shared_mutex.hpp"

#include <gtest/gtest.h>

#include <array>
#include <mutex>
#include <shared_mutex>

#include "sluice/os/thread.hpp"

namespace sluice::os {
namespace {

TEST(shared_mutex, two_threads_share_it_at_once) {
    shared_mutex both;
    const std::shared_lock here{both};
    thread other;
    // Were it not shared, the thread would never end.
    ASSERT_TRUE(other.start([&both]() noexcept { const std::shared_lock there{both}; }));
    other.join();
}

TEST(shared_mutex, no_thread_shares_it_with_one_that_has_it_alone) {
    constexpr int rounds = 20'000;
    shared_mutex guard;
    int first = 0;
    int second = 0;
    std::array<thread, 2> writers;
    std::array<thread, 2> readers;
    std::array<bool, 2> equal{true, true};
    for (auto& each : writers) {
        ASSERT_TRUE(each.start([&]() noexcept {
            for (int i = 0; i < rounds; ++i) {
                const std::lock_guard alone{guard};
                ++first;
                ++second;
            }
        }));
    }
    for (std::size_t r = 0; r < readers.size(); ++r) {
        ASSERT_TRUE(readers[r].start([&, &same = equal[r]]() noexcept {
            for (int i = 0; i < rounds; ++i) {
                const std::shared_lock shared{guard};
                same = same && first == second;
            }
        }));
    }
    for (auto& each : writers) each.join();
    for (auto& each : readers) each.join();
    EXPECT_TRUE(equal[0] && equal[1]);
    EXPECT_EQ(first, 2 * rounds);
}

}  // namespace
}  // namespace sluice::os
