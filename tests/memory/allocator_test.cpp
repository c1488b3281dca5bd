// The counter counts, and the failure fails: what the other tests here rest on.
#include <gtest/gtest.h>

#include <cstdlib>
#include <latch>
#include <memory>
#include <new>
#include <string>
#include <thread>

#include "sluice/base/sanitizer.hpp"
#include "tests/memory/allocations.hpp"

namespace sluice::test {
namespace {

TEST(allocator, counts_what_this_thread_allocates) {
    const auto before = allocations();
    const auto one = std::make_unique<std::string>();
    EXPECT_EQ(allocations() - before, 1U);
    one->assign(1000, 'x');
    EXPECT_EQ(allocations() - before, 2U);
}

TEST(allocator, counts_each_thread_for_itself) {
    std::latch go{1};
    std::latch done{1};
    std::size_t there = 0;
    std::thread other{[&] {
        go.wait();
        const auto before = allocations();
        const std::string elsewhere(1000, 'x');
        there = allocations() - before + elsewhere.size();
        done.count_down();
    }};
    const auto before = allocations();
    go.count_down();
    done.wait();
    EXPECT_EQ(allocations() - before, 0U);
    other.join();
    EXPECT_EQ(there, 1001U);
}

TEST(allocator, counts_malloc_too) {
    if (address_sanitizer || thread_sanitizer) {
        GTEST_SKIP() << "the sanitizer has an allocator of its own";
    }
    const auto before = allocations();
    void* volatile memory = std::malloc(10);
    memory = std::realloc(memory, 10'000);
    std::free(memory);
    EXPECT_EQ(allocations() - before, 2U);
}

TEST(allocator, fails_once_on_request) {
    const failing_allocation second{2};
    const auto one = std::make_unique<int>(1);
    EXPECT_FALSE(second.has_failed());
    EXPECT_THROW(static_cast<void>(std::make_unique<int>(2)), std::bad_alloc);
    EXPECT_TRUE(second.has_failed());
    const auto three = std::make_unique<int>(3);
}

}  // namespace
}  // namespace sluice::test
