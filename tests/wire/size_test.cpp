// Sizes: what people write is read exactly or refused, and what they read is short and right.
#include "sluice/wire/size.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::wire {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = kib * kib;
constexpr std::uint64_t gib = mib * kib;
constexpr std::uint64_t tib = gib * kib;

TEST(parse_size, reads_bytes_and_powers_of_1024) {
    EXPECT_EQ(parse_size("0"), 0U);
    EXPECT_EQ(parse_size("4096"), 4096U);
    EXPECT_EQ(parse_size("0064"), 64U);
    EXPECT_EQ(parse_size("64K"), 64 * kib);
    EXPECT_EQ(parse_size("64k"), 64 * kib);
    EXPECT_EQ(parse_size("1M"), mib);
    EXPECT_EQ(parse_size("1m"), mib);
    EXPECT_EQ(parse_size("2G"), 2 * gib);
    EXPECT_EQ(parse_size("2g"), 2 * gib);
    EXPECT_EQ(parse_size("3T"), 3 * tib);
    EXPECT_EQ(parse_size("3t"), 3 * tib);
}

TEST(parse_size, reads_up_to_what_fits) {
    EXPECT_EQ(parse_size("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(parse_size("18446744073709551616"), std::nullopt);
    EXPECT_EQ(parse_size("18014398509481983K"), UINT64_MAX - 1023);
    EXPECT_EQ(parse_size("18014398509481984K"), std::nullopt);
    EXPECT_EQ(parse_size("16777215T"), UINT64_MAX - (tib - 1));
    EXPECT_EQ(parse_size("16777216T"), std::nullopt);
    EXPECT_EQ(parse_size("0T"), 0U);
}

TEST(parse_size, refuses_all_else) {
    for (const auto* const text :
         {"", "K", "-1", "+1", "-0", "1.5M", "1,5M", " 1", "1 ", "1 K", "1KK", "1KB", "1KiB",
          "0x10", "1e3", "1B", "1P", "ten", "\xef\xbc\x91"}) {
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
    }
    EXPECT_EQ(parse_size(std::string_view{"1\0", 2}), std::nullopt);
    EXPECT_EQ(parse_size(std::string_view{}), std::nullopt);
}

TEST(format_size, is_exact_where_it_shows_no_decimal) {
    EXPECT_EQ(format_size(0), "0 B");
    EXPECT_EQ(format_size(1), "1 B");
    EXPECT_EQ(format_size(1023), "1023 B");
    EXPECT_EQ(format_size(kib), "1 KiB");
    EXPECT_EQ(format_size(64 * kib), "64 KiB");
    EXPECT_EQ(format_size(2 * gib), "2 GiB");
    EXPECT_EQ(format_size(std::uint64_t{1} << 63), "8 EiB");
}

TEST(format_size, rounds_to_one_decimal) {
    EXPECT_EQ(format_size(1025), "1.0 KiB");
    EXPECT_EQ(format_size(1536), "1.5 KiB");
    EXPECT_EQ(format_size(mib + mib / 2), "1.5 MiB");
    EXPECT_EQ(format_size(mib + mib / 20), "1.0 MiB") << "just below half a tenth";
    EXPECT_EQ(format_size(mib + mib / 20 + 1), "1.1 MiB") << "just above it";
    EXPECT_EQ(format_size(tib + gib), "1.0 TiB");
}

TEST(format_size, rounds_up_into_the_next_unit) {
    EXPECT_EQ(format_size(2 * mib - 1), "2.0 MiB");
    EXPECT_EQ(format_size(mib - 1), "1.0 MiB");
    EXPECT_EQ(format_size(gib - 1), "1.0 GiB");
    EXPECT_EQ(format_size(UINT64_MAX), "16.0 EiB");
}

}  // namespace
}  // namespace sluice::wire
