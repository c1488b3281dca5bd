// The allocator that maps large blocks by themselves.
#include "sluice/os/mapping_allocator.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <vector>

#include "sluice/base/sanitizer.hpp"
#include "tests/support/no_memory.hpp"
#include "tests/support/resident.hpp"

namespace sluice::test {
namespace {

template <class T>
using vector_of = std::vector<T, mapping_allocator<T>>;

TEST(mapping_allocator, has_room_for_any_number) {
    for (const std::size_t count : {1U, 511U, 512U, 513U, 100'000U}) {
        vector_of<std::uint64_t> all(count);
        for (std::size_t i = 0; i < count; ++i) all[i] = i;
        all.push_back(count);
        for (std::size_t i = 0; i <= count; ++i) ASSERT_EQ(all[i], i);
    }
}

TEST(mapping_allocator, gives_back_large_blocks_whatever_was_allocated_between_them) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "a sanitizer keeps its shadow";
    const auto before = resident();
    std::vector<vector_of<char>> large;
    std::vector<std::unique_ptr<int>> others;
    for (int i = 0; i < 1'000; ++i) {
        large.emplace_back(16'384, 'x');
        others.push_back(std::make_unique<int>(i));
    }
    EXPECT_GT(resident(), before + 15 * mib);
    large.clear();
    EXPECT_LT(resident(), before + 1 * mib);
}

TEST(mapping_allocator, throws_without_memory) {
    no_memory none;
    const os::kernel_in_place in_place{none};
    EXPECT_THROW(static_cast<void>(mapping_allocator<char>{}.allocate(4096)), std::bad_alloc);
    EXPECT_THROW(static_cast<void>(mapping_allocator<std::uint64_t>{}.allocate(
                     std::numeric_limits<std::size_t>::max() / 2)),
                 std::bad_alloc);
}

}  // namespace
}  // namespace sluice::test
