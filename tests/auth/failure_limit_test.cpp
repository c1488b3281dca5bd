// The limit on failed attempts: when an address has to wait, how long, and what is forgotten.
#include "sluice/auth/failure_limit.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace sluice::auth {
namespace {

using namespace std::chrono_literals;

constexpr failure_limit::time_point begin{1h};
const std::string here = "\x7f\x00\x00\x01";

std::string address_of(std::uint32_t number) {
    std::string bytes(sizeof number, '\0');
    std::memcpy(bytes.data(), &number, sizeof number);
    return bytes;
}

void fail(failure_limit& limit, failure_limit::time_point at, int times,
          const std::string& address = here) {
    for (int i = 0; i < times; ++i) limit.add_failure(address, at);
}

TEST(failure_limit, lets_four_failures_pass) {
    failure_limit limit;
    EXPECT_EQ(limit.wait_of(here, begin), 0s);
    fail(limit, begin, 4);
    EXPECT_EQ(limit.wait_of(here, begin), 0s);
    fail(limit, begin, 1);
    EXPECT_EQ(limit.wait_of(here, begin), 1s);
    EXPECT_EQ(limit.wait_of("other", begin), 0s);
    EXPECT_EQ(limit.wait_of(here, begin + 400ms), 600ms);
    EXPECT_EQ(limit.wait_of(here, begin + 1s), 0s);
    EXPECT_EQ(limit.wait_of(here, begin + 2h), 0s);
}

TEST(failure_limit, counts_those_of_the_last_minute) {
    failure_limit limit;
    fail(limit, begin, 1);
    fail(limit, begin + 30s, 3);
    fail(limit, begin + 61s, 1);
    EXPECT_EQ(limit.wait_of(here, begin + 61s), 0s);
    fail(limit, begin + 89s, 1);
    EXPECT_EQ(limit.wait_of(here, begin + 89s), 1s);
}

TEST(failure_limit, doubles_up_to_a_minute) {
    failure_limit limit;
    auto now = begin;
    fail(limit, now, 4);
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s, 60s}) {
        fail(limit, now, 1);
        EXPECT_EQ(limit.wait_of(here, now), expected);
        now += expected;
        EXPECT_EQ(limit.wait_of(here, now), 0s);
    }
}

TEST(failure_limit, forgives_a_minute_after_the_last_wait) {
    failure_limit limit;
    fail(limit, begin, 6);
    ASSERT_EQ(limit.wait_of(here, begin), 2s);
    auto strict = begin + 2s + 59s;
    fail(limit, strict, 1);
    EXPECT_EQ(limit.wait_of(here, strict), 4s);
    const auto later = strict + 4s + 60s;
    fail(limit, later, 4);
    EXPECT_EQ(limit.wait_of(here, later), 0s);
    fail(limit, later, 1);
    EXPECT_EQ(limit.wait_of(here, later), 1s);
}

TEST(failure_limit, forgets_the_address_that_failed_longest_ago) {
    failure_limit limit;
    for (std::uint32_t i = 0; i < failure_limit::most; ++i) fail(limit, begin, 5, address_of(i));
    EXPECT_EQ(limit.wait_of(address_of(0), begin), 1s);
    fail(limit, begin, 1, address_of(0));
    fail(limit, begin, 1, "one more");
    EXPECT_EQ(limit.wait_of(address_of(0), begin), 2s);
    EXPECT_EQ(limit.wait_of(address_of(1), begin), 0s);
    EXPECT_EQ(limit.wait_of(address_of(2), begin), 1s);
}

TEST(failure_limit, is_for_any_thread) {
    failure_limit limit;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (std::uint32_t i = 0; i < 1000; ++i) fail(limit, begin, 1, address_of(i % 100));
        });
    }
    for (auto& each : threads) each.join();
    EXPECT_EQ(limit.wait_of(address_of(0), begin), 60s);
}

}  // namespace
}  // namespace sluice::auth
