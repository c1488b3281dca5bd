// Buffers of HTTP requests: their memory.
#include "sluice/files/server/http_buffers.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "sluice/base/sanitizer.hpp"
#include "tests/support/resident.hpp"

namespace sluice::test {
namespace {

TEST(http_buffers, are_given_back_as_they_are_freed_whatever_lies_between_them) {
    if (address_sanitizer || thread_sanitizer) GTEST_SKIP() << "a sanitizer keeps its shadow";
    constexpr std::size_t many = 100;
    // What is needed longer than they are.
    std::vector<std::unique_ptr<int>> others;
    // malloc(3) maps large blocks for their own until the first of them is freed.
    for (int round = 0; round < 2; ++round) {
        std::vector<files::leased_buffers> leased;
        const auto before = resident();
        for (std::size_t i = 0; i < many; ++i) {
            leased.push_back(files::lease_buffers());
            ASSERT_TRUE(leased.back());
            leased.back()->in.fill('x');
            leased.back()->out.fill('x');
            others.push_back(std::make_unique<int>());
        }
        EXPECT_GT(resident(), before + 10 * mib);
        leased.clear();
        // Some are kept for the next ones.
        EXPECT_LT(resident(), before + 2 * mib) << "in round " << round;
    }
}

}  // namespace
}  // namespace sluice::test
