// Keys of tickets change with time, and open what was sealed a lifetime before.
#include "sluice/tls/ticket_keys.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

#include "sluice/os/linux_kernel.hpp"

namespace sluice::test {
namespace {

/// Linux at a time of the test's choice.
class linux_at final : public os::linux_kernel {
 public:
    std::int64_t monotonic_ns() noexcept override { return now; }
    std::atomic<std::int64_t> now = 1'000'000'000;

    void pass(std::chrono::nanoseconds time) noexcept { now += time.count(); }
};

class ticket_keys_test : public ::testing::Test {
 protected:
    linux_at linux;
    os::kernel_in_place in_place{linux};
    tls::ticket_keys keys = std::move(*tls::ticket_keys::create());
};

TEST_F(ticket_keys_test, a_key_is_for_a_lifetime_and_opens_for_another) {
    const auto first = keys.current();
    ASSERT_TRUE(first);
    linux.pass(tls::ticket_keys::lifetime / 2);
    EXPECT_EQ(keys.current()->name, first->name);
    linux.pass(tls::ticket_keys::lifetime);
    const auto second = keys.current();
    ASSERT_TRUE(second);
    EXPECT_NE(second->name, first->name);
    EXPECT_NE(second->cipher, first->cipher);
    ASSERT_TRUE(keys.find(first->name));
    EXPECT_EQ(keys.find(first->name)->cipher, first->cipher);
    linux.pass(tls::ticket_keys::lifetime * 2);
    EXPECT_NE(keys.current()->name, second->name);
    EXPECT_FALSE(keys.find(first->name));
    EXPECT_TRUE(keys.find(second->name));
    EXPECT_FALSE(keys.find({}));
}

TEST_F(ticket_keys_test, a_child_and_its_parent_have_the_same) {
    // The child draws it.
    const pid_t child = ::fork();
    if (child == 0) _exit(keys.current() ? 0 : 1);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    const auto key = keys.current();
    ASSERT_TRUE(key);
    const pid_t other = ::fork();
    if (other == 0) _exit(keys.find(key->name) && keys.current()->name == key->name ? 0 : 1);
    ASSERT_EQ(::waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sluice::test
