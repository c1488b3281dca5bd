// A lock that is about to be released is waited for, and another is not for long.
#include "sluice/lab/lock_with_timeout.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "sluice/os/fd.hpp"
#include "tests/support/files.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// The same file once more, with locks of its own.
unique_fd again(const temporary_file& file) {
    const auto path = "/proc/self/fd/" + std::to_string(file.fd());
    return unique_fd{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
}

TEST(lock_with_timeout, what_is_free_is_taken) {
    const temporary_file file;
    EXPECT_TRUE(lab::lock_with_timeout(file.fd(), 0ms));
}

TEST(lock_with_timeout, what_is_held_on_to_is_not_taken) {
    const temporary_file file;
    const auto other = again(file);
    ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
    EXPECT_FALSE(lab::lock_with_timeout(file.fd(), 0ms));
}

TEST(lock_with_timeout, what_is_released_meanwhile_is_taken) {
    const temporary_file file;
    auto other = again(file);
    ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
    std::thread holder{[&other] {
        std::this_thread::sleep_for(50ms);
        other.reset();
    }};
    EXPECT_TRUE(lab::lock_with_timeout(file.fd(), 1min));
    holder.join();
}

TEST(lock_with_timeout, what_is_no_file_has_no_lock) {
    EXPECT_FALSE(lab::lock_with_timeout(-1, 1min));
}

}  // namespace
}  // namespace sluice::test
