// Who is banned until when, and which words say how long.
#include "sluice/chat/server/bans.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "sluice/chat/server/moderation.hpp"

namespace sluice::chat {
namespace {

using namespace std::chrono_literals;

constexpr bans::time_point begin{1h};

net::client_network at(const char* address) {
    return net::network_of(net::address::parse(address).value());
}

TEST(bans, end) {
    bans all;
    all.add({.what = "ann", .until = begin + 10s}, begin);
    EXPECT_EQ(all.of({}, "ann", begin), begin + 10s);
    EXPECT_TRUE(all.of({}, "ann", begin + 9s));
    EXPECT_FALSE(all.of({}, "ann", begin + 10s));
    EXPECT_TRUE(all.all(10, begin + 10s).empty());
}

TEST(bans, are_of_an_account_or_of_a_network) {
    bans all;
    all.add({.what = "ann", .until = begin + 10s}, begin);
    all.add({.what = "192.0.2.1", .network = at("192.0.2.1:1"), .until = begin + 20s}, begin);
    EXPECT_FALSE(all.of(at("192.0.2.2:1"), "", begin));
    EXPECT_FALSE(all.of(at("192.0.2.2:1"), "bob", begin));
    EXPECT_EQ(all.of(at("192.0.2.1:9"), "bob", begin), begin + 20s);
    EXPECT_EQ(all.of(at("192.0.2.1:9"), "ann", begin), begin + 20s);
    EXPECT_EQ(all.of(at("192.0.2.2:1"), "ann", begin), begin + 10s);
    // The text of an address is no name of an account.
    EXPECT_FALSE(all.of(at("192.0.2.2:1"), "192.0.2.1", begin));
}

TEST(bans, are_replaced_and_lifted) {
    bans all;
    all.add({.what = "ann", .until = begin + 10s}, begin);
    all.add({.what = "ann", .until = begin + 30s}, begin);
    EXPECT_EQ(all.all(10, begin).size(), 1U);
    EXPECT_EQ(all.of({}, "ann", begin), begin + 30s);
    EXPECT_TRUE(all.lift("ann", begin));
    EXPECT_FALSE(all.lift("ann", begin));
    EXPECT_FALSE(all.of({}, "ann", begin));
}

TEST(bans, have_a_limit) {
    bans all;
    for (std::size_t i = 0; i < bans::most + 1; ++i) {
        all.add({.what = std::to_string(i), .until = begin + 10s + std::chrono::seconds{i}}, begin);
    }
    EXPECT_FALSE(all.of({}, "0", begin));
    EXPECT_TRUE(all.of({}, "1", begin));
    EXPECT_TRUE(all.of({}, std::to_string(bans::most), begin));
    EXPECT_EQ(all.all(5, begin).size(), 5U);
}

TEST(time_of_a_ban, is_read) {
    EXPECT_EQ(read_time("90"), 90s);
    EXPECT_EQ(read_time("90s"), 90s);
    EXPECT_EQ(read_time("10m"), 10min);
    EXPECT_EQ(read_time("2h"), 2h);
    EXPECT_EQ(read_time("365d"), 365 * 24h);
    for (const auto* text :
         {"", "0", "-1", "1w", "m", "1 m", "1.5h", "366d", "99999999999999999999d"}) {
        EXPECT_FALSE(read_time(text)) << text;
    }
}

TEST(time_of_a_ban, is_shown_in_words) {
    EXPECT_EQ(time_text(0s), "1 second");
    EXPECT_EQ(time_text(2s), "2 seconds");
    EXPECT_EQ(time_text(119s), "119 seconds");
    EXPECT_EQ(time_text(10min), "10 minutes");
    EXPECT_EQ(time_text(2h), "2 hours");
    EXPECT_EQ(time_text(7 * 24h), "7 days");
}

}  // namespace
}  // namespace sluice::chat
