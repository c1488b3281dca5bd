// Numbers are shown with the prefix and the digits that suit them.
#include "sluice/lab/report/quantity.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <string>

namespace sluice::lab {
namespace {

constexpr double unbounded = std::numeric_limits<double>::infinity();

TEST(quantity, has_the_prefix_that_suits_it) {
    EXPECT_EQ(shown_with_unit(3.5 * 1024 * 1024 * 1024, "B/s"), "3.50 GiB/s");
    EXPECT_EQ(shown_with_unit(1023, "B"), "1,023 B");
    EXPECT_EQ(shown_with_unit(1024, "B"), "1.00 KiB");
    EXPECT_EQ(shown_with_unit(312'000, "1/s"), "312 k/s");
    EXPECT_EQ(shown_with_unit(5, "1/s"), "5.00/s");
    EXPECT_EQ(shown_with_unit(0.00042, "s"), "420 µs");
    EXPECT_EQ(shown_with_unit(3e-6, "s/message"), "3.00 µs/message");
    EXPECT_EQ(shown_with_unit(90, "s"), "90.0 s");
    EXPECT_EQ(shown_with_unit(0, "s"), "0 s");
    EXPECT_EQ(shown_with_unit(16384, "1/GiB"), "16.4 k/GiB");
    EXPECT_EQ(shown_with_unit(2.0 * 1024 * 1024 * 1024, "B/GiB"), "2.00 GiB/GiB");
    EXPECT_EQ(shown_with_unit(2.5, "parrots"), "2.50 parrots");
    EXPECT_EQ(shown_with_unit(7, ""), "7.00");
}

TEST(quantity, has_three_digits_or_all_before_the_point) {
    EXPECT_EQ(digits(0.02134), "0.0213");
    EXPECT_EQ(digits(3.414), "3.41");
    EXPECT_EQ(digits(99.94), "99.9");
    EXPECT_EQ(digits(20'481.4), "20,481");
    EXPECT_EQ(digits(-1'234'567), "-1,234,567");
    EXPECT_EQ(digits(-123), "-123");
    EXPECT_EQ(digits(0), "0");
    EXPECT_EQ(digits(unbounded), "-");
    EXPECT_EQ(digits(-unbounded), "-");
    EXPECT_EQ(digits(std::numeric_limits<double>::quiet_NaN()), "-");
    EXPECT_EQ(digits(1e300), "1.00e+300");
}

TEST(quantity, ratios_have_two_places_where_they_are_small) {
    EXPECT_EQ(shown_ratio(0.4), "0.40");
    EXPECT_EQ(shown_ratio(2.114), "2.11");
    EXPECT_EQ(shown_ratio(9.999), "10.0");
    EXPECT_EQ(shown_ratio(118.3), "118");
    EXPECT_EQ(shown_ratio(0.0213), "0.0213");
    EXPECT_EQ(shown_ratio(unbounded), "-");
}

TEST(quantity, places_are_read_as_they_are_said) {
    EXPECT_EQ(shown_place(64, "clients"), "64");
    EXPECT_EQ(shown_place(10'000, "clients"), "10,000");
    EXPECT_EQ(shown_place(64, "bytes a message"), "64");
    EXPECT_EQ(shown_place(16384, "bytes a message"), "16 KiB");
    EXPECT_EQ(shown_place(1500, "bytes a message"), "1,500");
    EXPECT_EQ(shown_place(0.5, "share"), "0.5");
}

TEST(quantity, percentiles_and_times) {
    EXPECT_EQ(shown_share(0.5), "p50");
    EXPECT_EQ(shown_share(0.99), "p99");
    EXPECT_EQ(shown_share(0.999), "p99.9");
    EXPECT_EQ(shown_share(0.99999), "p99.999");
    EXPECT_EQ(shown_share(1), "longest");
    EXPECT_EQ(shown_time(5.04), "5.0 s");
    EXPECT_EQ(shown_time(59.4), "59 s");
    EXPECT_EQ(shown_time(130), "2 min 10 s");
    EXPECT_EQ(shown_time(-1), "-");
}

TEST(quantity, lists) {
    using texts = std::array<std::string, 3>;
    EXPECT_EQ(joined(texts{"a", "b", "c"}), "a, b and c");
    EXPECT_EQ(joined({}), "");
}

}  // namespace
}  // namespace sluice::lab
