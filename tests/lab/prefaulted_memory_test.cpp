// Touched before a sample: three times what it allocates, in the pieces that a host takes back.
#include "sluice/lab/prefaulted_memory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace {

using sluice::lab::prefaulted_memory;
using sluice::lab::warning_of_touching;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

long page_faults() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return used.ru_minflt;
}

bool may_have_huge_pages() {
    std::ifstream file{"/sys/kernel/mm/transparent_hugepage/enabled"};
    std::string modes;
    return std::getline(file, modes) && !modes.contains("[never]");
}

TEST(prefaulted_memory, is_three_times_what_a_sample_allocates) {
    prefaulted_memory memory;
    EXPECT_EQ(memory.touch(8 * mebibyte), 24 * mebibyte);
}

TEST(prefaulted_memory, is_no_more_than_there_is) {
    prefaulted_memory memory;
    EXPECT_EQ(memory.touch(0), 0U);
    EXPECT_EQ(memory.touch(100), 0U) << "less than a piece";
}

TEST(prefaulted_memory, comes_in_large_pieces) {
    if (!may_have_huge_pages()) GTEST_SKIP() << "huge pages are off on this machine";
    prefaulted_memory memory;
    const auto before = page_faults();
    const auto touched = memory.touch(16 * mebibyte);
    // A piece that the kernel cannot find in one is small pages; most are found.
    EXPECT_LT(page_faults() - before, static_cast<long>(touched / 4096 / 2));
}

TEST(prefaulted_memory, is_judged_by_the_best_that_was_seen) {
    EXPECT_EQ(warning_of_touching({}), "");
    EXPECT_EQ(warning_of_touching({4e9, 0.5e9}), "") << "too few to tell";
    EXPECT_EQ(warning_of_touching({4e9, 3e9, 2.5e9}), "");
    const auto most_are_slow = warning_of_touching({4e9, 0.5e9, 0.6e9, 0.5e9});
    EXPECT_TRUE(most_are_slow.starts_with("Before 3 of 4 samples free memory had to be taken back"))
        << most_are_slow;
    EXPECT_TRUE(most_are_slow.contains("up to 8.0 times as slowly as at best")) << most_are_slow;
}

}  // namespace
