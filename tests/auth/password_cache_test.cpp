// The cache of passwords that were right: what it knows, and what it forgets.
#include "sluice/auth/password_cache.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace sluice::auth {
namespace {

using namespace std::chrono_literals;

constexpr os::clock::time_point start{1h};

account account_of(std::string name, std::string_view password) {
    return {.name = std::move(name),
            .password = password_hash::make(password, {.log2_n = 1, .r = 1, .p = 1}),
            .token_key = secret_key::draw(),
            .rights = {"read"}};
}

TEST(password_cache, knows_what_it_was_told) {
    password_cache cache;
    const auto alice = account_of("alice", "secret");
    EXPECT_FALSE(cache.knows(alice, "secret", start));
    cache.remember(alice, "secret", start);
    EXPECT_TRUE(cache.knows(alice, "secret", start));
    EXPECT_FALSE(cache.knows(alice, "secret ", start));
    EXPECT_FALSE(cache.knows(alice, "", start));
    auto same_hash = alice;
    same_hash.name = "bob";
    EXPECT_FALSE(cache.knows(same_hash, "secret", start));
}

TEST(password_cache, forgets_after_five_minutes) {
    password_cache cache;
    const auto alice = account_of("alice", "secret");
    cache.remember(alice, "secret", start);
    EXPECT_TRUE(cache.knows(alice, "secret", start + 5min - 1ns));
    EXPECT_FALSE(cache.knows(alice, "secret", start + 5min));
    cache.remember(alice, "secret", start + 6min);
    cache.remember(alice, "secret", start + 9min);
    EXPECT_TRUE(cache.knows(alice, "secret", start + 13min));
}

TEST(password_cache, forgets_a_password_that_was_changed) {
    password_cache cache;
    const auto before = account_of("alice", "secret");
    const auto after = account_of("alice", "other");
    cache.remember(before, "secret", start);
    EXPECT_FALSE(cache.knows(after, "secret", start));
    auto without = before;
    without.password.reset();
    cache.remember(without, "", start);
    EXPECT_FALSE(cache.knows(without, "secret", start));
    EXPECT_FALSE(cache.knows(without, "", start));
}

TEST(password_cache, is_cleared) {
    password_cache cache;
    const auto alice = account_of("alice", "secret");
    cache.remember(alice, "secret", start);
    cache.clear();
    EXPECT_FALSE(cache.knows(alice, "secret", start));
    cache.remember(alice, "secret", start);
    EXPECT_TRUE(cache.knows(alice, "secret", start));
}

TEST(password_cache, drops_the_oldest) {
    password_cache cache;
    const auto alice = account_of("alice", "secret");
    for (std::size_t i = 0; i < password_cache::most; ++i) {
        cache.remember(alice, fmt::format("{}", i), start);
    }
    cache.remember(alice, "0", start);  // again: the newest now
    cache.remember(alice, "one more", start);
    EXPECT_TRUE(cache.knows(alice, "0", start));
    EXPECT_FALSE(cache.knows(alice, "1", start));
    EXPECT_TRUE(cache.knows(alice, "2", start));
    EXPECT_TRUE(cache.knows(alice, "one more", start));
}

TEST(password_cache, is_for_any_thread) {
    password_cache cache;
    const auto alice = account_of("alice", "secret");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; ++i) {
                const auto password = fmt::format("{} {}", t, i);
                cache.remember(alice, password, start);
                EXPECT_TRUE(cache.knows(alice, password, start));
            }
        });
    }
    for (auto& each : threads) each.join();
}

}  // namespace
}  // namespace sluice::auth
