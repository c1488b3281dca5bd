// Timers: fired once, when due, in order; and the arithmetic of deadlines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <vector>

#include "sluice/io/timer.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

struct logged_timer : io::timer {
    logged_timer(int n, std::vector<int>& l) : timer{&fire}, number{n}, log{l} {}
    static void fire(io::timer& t) noexcept {
        auto& self = static_cast<logged_timer&>(t);
        self.log.push_back(self.number);
        if (self.heap != nullptr && self.again > 0) {
            --self.again;
            self.heap->arm(self, self.next);
        }
    }
    int number;
    std::vector<int>& log;
    io::timer_heap* heap = nullptr;
    int again = 0;
    io::time_point next;
};

TEST(timer_heap, fires_what_is_due) {
    io::timer_heap heap;
    std::vector<int> log;
    const io::time_point start{};
    EXPECT_EQ(heap.next(), io::never);
    logged_timer a{1, log};
    logged_timer b{2, log};
    logged_timer c{3, log};
    heap.arm(b, start + 2s);
    heap.arm(a, start + 1s);
    heap.arm(c, start + 3s);
    EXPECT_EQ(heap.next(), start + 1s);
    heap.run(start);
    EXPECT_THAT(log, ::testing::IsEmpty());
    heap.run(start + 2s);
    EXPECT_THAT(log, ::testing::ElementsAre(1, 2));
    EXPECT_EQ(heap.next(), start + 3s);
    heap.disarm(c);
    heap.disarm(c);
    heap.disarm(a);
    heap.run(start + 1h);
    EXPECT_THAT(log, ::testing::ElementsAre(1, 2));
    EXPECT_EQ(heap.next(), io::never);
}

TEST(timer_heap, one_for_never_is_not_kept) {
    io::timer_heap heap;
    std::vector<int> log;
    logged_timer a{1, log};
    heap.arm(a, io::never);
    EXPECT_FALSE(a.in_heap());
    heap.run(io::never);
    EXPECT_THAT(log, ::testing::IsEmpty());
    heap.disarm(a);
}

TEST(timer_heap, one_may_be_armed_again_while_it_fires) {
    io::timer_heap heap;
    std::vector<int> log;
    const io::time_point start{};
    logged_timer a{1, log};
    a.heap = &heap;
    a.again = 2;
    a.next = start + 5s;
    heap.arm(a, start);
    heap.run(start);
    EXPECT_THAT(log, ::testing::ElementsAre(1));
    heap.run(start + 5s);
    EXPECT_THAT(log, ::testing::ElementsAre(1, 1, 1));
}

TEST(deadlines, do_not_run_over) {
    const auto now = io::clock::now();
    EXPECT_EQ(io::after(now, 1s), now + 1s);
    EXPECT_EQ(io::after(now, -1s), now - 1s);
    EXPECT_EQ(io::after(now, io::duration::max()), io::never);
    EXPECT_EQ(io::after(now, io::never - now), io::never);
}

TEST(deadlines, become_what_the_kernel_takes) {
    const auto past = io::time_left(io::clock::now() - 1h);
    EXPECT_EQ(past.tv_sec, 0);
    EXPECT_EQ(past.tv_nsec, 0);
    const auto soon = io::time_left(io::clock::now() + 90min);
    EXPECT_GE(soon.tv_sec, 5399);
    EXPECT_LE(soon.tv_sec, 5400);
    EXPECT_GE(soon.tv_nsec, 0);
    EXPECT_LT(soon.tv_nsec, 1'000'000'000);
}

}  // namespace
}  // namespace sluice::test
