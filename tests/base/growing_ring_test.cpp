// The ring beside a plain deque, through every way of growing and wrapping around.
#include "sluice/base/growing_ring.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <utility>

namespace sluice::test {
namespace {

TEST(growing_ring, starts_out_empty) {
    const growing_ring<int> ring;
    EXPECT_TRUE(ring.empty());
    EXPECT_EQ(ring.size(), 0U);
}

TEST(growing_ring, first_in_first_out) {
    growing_ring<int> ring;
    for (int i = 0; i < 3; ++i) ring.push_back(i);
    EXPECT_EQ(ring[0], 0);
    EXPECT_EQ(ring[2], 2);
    EXPECT_EQ(ring.back(), 2);
    ring.pop_front();
    EXPECT_EQ(ring[0], 1);
    EXPECT_EQ(ring.size(), 2U);
    ring.back() = 7;
    EXPECT_EQ(ring[1], 7);
}

TEST(growing_ring, keeps_its_order_when_it_grows_from_any_place) {
    for (int gone = 0; gone < 40; ++gone) {
        growing_ring<int> ring;
        for (int i = 0; i < gone; ++i) {
            ring.push_back(-1);
            ring.pop_front();
        }
        for (int i = 0; i < 100; ++i) ring.push_back(i);
        ASSERT_EQ(ring.size(), 100U);
        for (int i = 0; i < 100; ++i) ASSERT_EQ(ring[static_cast<std::size_t>(i)], i) << gone;
    }
}

TEST(growing_ring, can_be_used_again_once_cleared) {
    growing_ring<int> ring;
    for (int i = 0; i < 20; ++i) ring.push_back(i);
    ring.clear();
    EXPECT_TRUE(ring.empty());
    ring.push_back(5);
    EXPECT_EQ(ring[0], 5);
    EXPECT_EQ(ring.size(), 1U);
}

TEST(growing_ring, takes_what_can_only_be_moved) {
    growing_ring<std::unique_ptr<int>> ring;
    for (int i = 0; i < 33; ++i) ring.push_back(std::make_unique<int>(i));
    for (int i = 0; i < 33; ++i) {
        ASSERT_EQ(*ring[0], i);
        ring.pop_front();
    }
    EXPECT_TRUE(ring.empty());
}

TEST(growing_ring, does_what_a_deque_does) {
    std::mt19937_64 random{2};
    growing_ring<std::uint64_t> ring;
    std::deque<std::uint64_t> plain;
    for (int step = 0; step < 20'000; ++step) {
        const std::uint64_t what = random() % 100;
        // Runs of growth and runs of shrinking, so that it wraps at many sizes.
        const bool grows = (step / 500) % 2 == 0;
        if (what == 0 && step % 10 == 0) {
            ring.clear();
            plain.clear();
        } else if (what < (grows ? 60U : 40U)) {
            ring.push_back(what + random());
            plain.push_back(ring.back());
        } else if (!plain.empty()) {
            ring.pop_front();
            plain.pop_front();
        }
        ASSERT_EQ(ring.size(), plain.size());
        ASSERT_EQ(ring.empty(), plain.empty());
        if (step % 16 != 0) continue;
        for (std::size_t i = 0; i < plain.size(); ++i) ASSERT_EQ(ring[i], plain[i]) << step;
    }
}

}  // namespace
}  // namespace sluice::test
