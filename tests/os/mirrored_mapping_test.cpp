// The same bytes twice in a row, and nothing left behind.
#include "sluice/os/mirrored_mapping.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "tests/support/engine_test.hpp"

namespace sluice::test {
namespace {

std::size_t page() {
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

mirrored_mapping mapped(std::size_t size) {
    auto made = mirrored_mapping::create(size);
    EXPECT_TRUE(made) << made.error().message();
    return std::move(*made);
}

TEST(mirrored_mapping, is_whole_pages) {
    EXPECT_EQ(mapped(1).size(), page());
    EXPECT_EQ(mapped(page()).size(), page());
    EXPECT_EQ(mapped(page() + 1).size(), 2 * page());
}

TEST(mirrored_mapping, starts_out_as_zeroes) {
    const auto m = mapped(2 * page());
    EXPECT_TRUE(std::all_of(m.data(), m.data() + (2 * m.size()), [](char c) { return c == 0; }));
}

TEST(mirrored_mapping, every_byte_is_there_twice) {
    const auto m = mapped(3 * page());
    for (std::size_t i = 0; i < m.size(); ++i) m.data()[i] = static_cast<char>(i * 31 / 7);
    EXPECT_EQ(std::memcmp(m.data(), m.data() + m.size(), m.size()), 0);
    for (std::size_t i = 0; i < m.size(); ++i) m.data()[m.size() + i] = static_cast<char>(i * 17);
    EXPECT_EQ(std::memcmp(m.data(), m.data() + m.size(), m.size()), 0);
    EXPECT_EQ(m.data()[5], static_cast<char>(5 * 17));
}

TEST(mirrored_mapping, what_goes_over_the_end_goes_on_at_the_beginning) {
    const auto m = mapped(page());
    const std::string_view text = "over the end";
    std::copy(text.begin(), text.end(), m.data() + m.size() - 5);
    EXPECT_EQ((std::string_view{m.data() + m.size() - 5, text.size()}), text);
    EXPECT_EQ((std::string_view{m.data(), text.size() - 5}), text.substr(5));
}

TEST(mirrored_mapping, two_share_nothing) {
    const auto one = mapped(page());
    const auto other = mapped(page());
    one.data()[0] = 'x';
    EXPECT_EQ(other.data()[0], 0);
}

TEST(mirrored_mapping, moves) {
    auto one = mapped(page());
    one.data()[0] = 'x';
    const char* const where = one.data();
    mirrored_mapping other{std::move(one)};
    EXPECT_EQ(other.data(), where);
    mirrored_mapping third = mapped(2 * page());
    third = std::move(other);
    EXPECT_EQ(third.data(), where);
    EXPECT_EQ(third.size(), page());
    EXPECT_EQ(third.data()[page()], 'x');
}

TEST(mirrored_mapping, holds_no_descriptor_and_gives_its_memory_back) {
    const std::size_t before = open_descriptors();
    const auto kept = mapped(page());
    EXPECT_EQ(open_descriptors(), before);
    // More in all than this process may address, were it not given back.
    for (int i = 0; i < 300; ++i)
        ASSERT_EQ(mapped(std::size_t{1} << 38).size(), std::size_t{1} << 38);
}

TEST(mirrored_mapping, says_when_there_is_no_space) {
    const std::size_t before = open_descriptors();
    const auto made = mirrored_mapping::create(std::size_t{1} << 60);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message(), "");
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace sluice::test
