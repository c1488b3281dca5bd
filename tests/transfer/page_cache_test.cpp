// Warm is in the page cache, cold is not, and what cannot be cold is not called so.
#include "sluice/transfer/page_cache.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "sluice/os/fd.hpp"

namespace {

using sluice::unique_fd;
using sluice::transfer::cached_bytes;
using sluice::transfer::make_cold;
using sluice::transfer::make_warm;

constexpr std::size_t size = std::size_t{3} << 20;

/// A file without a name in the directory that the tests run in, which is on a disk as a rule.
unique_fd make_file(const char* where) {
    unique_fd file{::open(where, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    const std::string text(size, 'p');
    if (file && ::write(file.get(), text.data(), text.size()) != std::ssize(text)) file.reset();
    return file;
}

TEST(page_cache, a_file_is_warm_when_written_cold_when_dropped_and_warm_when_read) {
    const auto file = make_file(".");
    if (!file) GTEST_SKIP() << "no file without a name can be made here";
    EXPECT_EQ(cached_bytes(file.get()), size);
    ASSERT_TRUE(make_cold(file.get()));
    const auto left = cached_bytes(file.get());
    ASSERT_TRUE(left);
    if (*left > 0) GTEST_SKIP() << "this file system keeps its files in memory";
    ASSERT_TRUE(make_warm(file.get()));
    EXPECT_EQ(cached_bytes(file.get()), size);
}

TEST(page_cache, a_file_in_memory_is_never_called_cold) {
    const unique_fd file{::memfd_create("warm", MFD_CLOEXEC)};
    ASSERT_TRUE(file);
    const std::string text(size, 'm');
    ASSERT_EQ(::write(file.get(), text.data(), text.size()), std::ssize(text));
    ASSERT_TRUE(make_cold(file.get()));
    EXPECT_EQ(cached_bytes(file.get()), size);
}

TEST(page_cache, an_empty_file_has_nothing_cached) {
    const unique_fd file{::memfd_create("empty", MFD_CLOEXEC)};
    ASSERT_TRUE(file);
    EXPECT_EQ(cached_bytes(file.get()), 0U);
}

TEST(page_cache, what_is_no_file_is_an_error) {
    EXPECT_FALSE(cached_bytes(-1));
    EXPECT_FALSE(make_cold(-1));
    EXPECT_FALSE(make_warm(-1));
}

}  // namespace
