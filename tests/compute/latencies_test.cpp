// Percentiles are nearest ranks.
#include "sluice/compute/client/latencies.hpp"

#include <gtest/gtest.h>

namespace sluice::compute {
namespace {

TEST(latencies, a_percentile_is_the_smallest_that_so_many_did_not_exceed) {
    latencies all;
    EXPECT_EQ(all.at(0.5), io::duration{});
    for (int i = 1; i <= 50; ++i) all.add(io::duration{i});
    EXPECT_EQ(all.at(0), io::duration{1});
    EXPECT_EQ(all.at(0.5), io::duration{25});
    EXPECT_EQ(all.at(0.9), io::duration{45});
    EXPECT_EQ(all.at(0.99), io::duration{50});
    EXPECT_EQ(all.at(1), io::duration{50});
}

}  // namespace
}  // namespace sluice::compute
