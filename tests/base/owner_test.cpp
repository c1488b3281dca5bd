// What owns a descriptor or a mapping gives it back exactly once.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "sluice/os/fd.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::test {
namespace {

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}
int new_descriptor() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(unique_fd, closes_when_it_dies) {
    const int number = new_descriptor();
    {
        const unique_fd owner{number};
        EXPECT_EQ(owner.get(), number);
        EXPECT_TRUE(owner);
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(unique_fd, holds_nothing_at_first) {
    const unique_fd none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.get(), -1);
}

TEST(unique_fd, moves) {
    const int one = new_descriptor();
    const int two = new_descriptor();
    unique_fd a{one};
    unique_fd b{std::move(a)};
    EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): what is left is the question
    EXPECT_EQ(b.get(), one);
    unique_fd c{two};
    c = std::move(b);
    EXPECT_FALSE(b);  // NOLINT(bugprone-use-after-move): what is left is the question
    EXPECT_EQ(c.get(), one);
    EXPECT_FALSE(is_open(two));
    auto& same = c;
    c = std::move(same);
    EXPECT_EQ(c.get(), one);
    EXPECT_TRUE(is_open(one));
}

TEST(unique_fd, gives_away_and_resets) {
    unique_fd owner{new_descriptor()};
    const int number = owner.release();
    EXPECT_FALSE(owner);
    EXPECT_TRUE(is_open(number));
    owner.reset(number);
    EXPECT_EQ(owner.get(), number);
    owner.reset();
    EXPECT_FALSE(is_open(number));
    owner.reset();
}

TEST(unique_fd, zero_is_a_descriptor) {
    const unique_fd zero{0};
    EXPECT_TRUE(zero);
    EXPECT_EQ(const_cast<unique_fd&>(zero).release(), 0);
}

/// Whether the page at `where` is mapped at all (mincore(2)).
bool is_mapped(void* where) {
    unsigned char resident = 0;
    return ::mincore(where, 1, &resident) == 0 || errno != ENOMEM;
}

TEST(mapping, is_zeroed_and_goes) {
    void* where = nullptr;
    {
        auto made = mapping::create(100'000);
        ASSERT_TRUE(made);
        where = made->data();
        EXPECT_EQ(made->size(), 100'000U);
        const auto* bytes = static_cast<const unsigned char*>(where);
        for (std::size_t i = 0; i < made->size(); ++i) ASSERT_EQ(bytes[i], 0) << i;
        std::memset(where, 1, made->size());
        EXPECT_TRUE(is_mapped(where));
    }
    EXPECT_FALSE(is_mapped(where));
}

TEST(mapping, moves) {
    auto one = mapping::create(4096);
    ASSERT_TRUE(one);
    void* where = one->data();
    mapping other{std::move(*one)};
    EXPECT_EQ(one->data(), nullptr);
    EXPECT_EQ(one->size(), 0U);
    EXPECT_EQ(other.data(), where);
    mapping third;
    EXPECT_EQ(third.data(), nullptr);
    third = std::move(other);
    EXPECT_EQ(third.data(), where);
    EXPECT_TRUE(is_mapped(where));
}

TEST(mapping, says_why_there_is_none) {
    const auto none = mapping::create(0);
    ASSERT_FALSE(none);
    EXPECT_TRUE(none.error().is(EINVAL));
    const auto too_much = mapping::create(std::size_t{1} << 60);
    ASSERT_FALSE(too_much);
    EXPECT_TRUE(too_much.error().is(ENOMEM));
}

TEST(mapping, costs_only_what_is_touched) {
    constexpr std::size_t size = std::size_t{64} << 20;
    const auto large = mapping::create(size);
    ASSERT_TRUE(large);
    static_cast<char*>(large->data())[0] = 1;
    std::array<unsigned char, size / 4096> resident{};
    ASSERT_EQ(::mincore(large->data(), size, resident.data()), 0);
    std::size_t pages = 0;
    for (const unsigned char page : resident) pages += page & 1U;
    EXPECT_LT(pages, resident.size() / 8);
}

}  // namespace
}  // namespace sluice::test
