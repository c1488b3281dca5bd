// How many connections one client address may have.
#include "sluice/model/address_limit.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace sluice::model {
namespace {

net::address at(std::string_view text) {
    return *net::address::parse(text);
}

TEST(address_limit, refuses_one_too_many_until_one_has_gone) {
    address_limit limit{{.most = 2}};
    auto first = limit.admit(at("10.0.0.1:1000"));
    const auto second = limit.admit(at("10.0.0.1:1001"));
    EXPECT_TRUE(first);
    EXPECT_TRUE(second);
    EXPECT_FALSE(limit.admit(at("10.0.0.1:1002")));
    EXPECT_TRUE(limit.admit(at("10.0.0.2:1000")));
    EXPECT_EQ(limit.refused(), 1U);
    first.reset();
    EXPECT_TRUE(limit.admit(at("10.0.0.1:1002")));
}

TEST(address_limit, counts_ipv6_by_its_64_and_a_mapped_address_as_ipv4) {
    address_limit limit{{.most = 1}};
    const auto site = limit.admit(at("[2001:db8:0:1::1]:1"));
    EXPECT_TRUE(site);
    EXPECT_FALSE(limit.admit(at("[2001:db8:0:1:ffff::2]:2")));
    EXPECT_TRUE(limit.admit(at("[2001:db8:0:2::1]:1")));
    const auto mapped = limit.admit(at("[::ffff:10.0.0.1]:1"));
    EXPECT_TRUE(mapped);
    EXPECT_FALSE(limit.admit(at("10.0.0.1:2")));
}

TEST(address_limit, other_limits_count_from_then_on) {
    address_limit limit{{.most = 1}};
    const auto first = limit.admit(at("10.0.0.1:1"));
    EXPECT_FALSE(limit.admit(at("10.0.0.1:2")));
    limit.set({.most = 2});
    const auto second = limit.admit(at("10.0.0.1:2"));
    EXPECT_TRUE(second);
    // Those that are there stay.
    limit.set({.most = 1});
    EXPECT_FALSE(limit.admit(at("10.0.0.1:3")));
    limit.set({.most = 10, .rate = 1});
    // Four at once; loopback as well, once there is a limit for it.
    for (const auto* host : {"10.0.0.2:1", "127.0.0.1:1"}) {
        for (int i = 0; i < 4; ++i) EXPECT_TRUE(limit.admit(at(host))) << host;
        EXPECT_FALSE(limit.admit(at(host))) << host;
    }
    limit.set({});
    EXPECT_TRUE(limit.admit(at("127.0.0.1:1")));
}

TEST(address_limit, gives_an_address_a_quarter_and_loopback_all_by_default) {
    address_limit by_default{{.max_clients = 8}};
    std::vector<address_limit::permit> kept;
    for (const auto* const loopback : {"127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
        for (int i = 0; i < 9; ++i) {
            auto permit = by_default.admit(at(loopback));
            ASSERT_TRUE(permit);
            kept.push_back(std::move(*permit));
        }
    }
    for (int i = 0; i < 2; ++i) {
        auto permit = by_default.admit(at("10.0.0.1:1"));
        ASSERT_TRUE(permit);
        kept.push_back(std::move(*permit));
    }
    EXPECT_FALSE(by_default.admit(at("10.0.0.1:1")));
    address_limit limited{{.most = 1}};
    const auto first = limited.admit(at("127.0.0.1:1"));
    EXPECT_TRUE(first);
    EXPECT_FALSE(limited.admit(at("127.0.0.1:2")));
}

TEST(address_limit, refuses_an_address_that_comes_too_often_and_no_other) {
    address_limit limit{{.most = 100, .rate = 2}};
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(limit.admit(at("10.0.0.1:1"))) << i;
    EXPECT_FALSE(limit.admit(at("10.0.0.1:1")));
    EXPECT_EQ(limit.refused(), 1U);
    EXPECT_TRUE(limit.admit(at("10.0.0.2:1")));
    EXPECT_TRUE(limit.admit(at("127.0.0.1:1")));
}

TEST(address_limit, lets_loopback_come_as_often_as_it_likes_by_default) {
    address_limit limit{{}};
    for (std::uint32_t i = 0; i < 4 * address_limit::usual_rate; ++i) {
        ASSERT_TRUE(limit.admit(at("10.0.0.1:1"))) << i;
        ASSERT_TRUE(limit.admit(at("127.0.0.1:1"))) << i;
    }
    while (limit.admit(at("10.0.0.1:1"))) {
    }
    EXPECT_TRUE(limit.admit(at("127.0.0.1:1")));
}

}  // namespace
}  // namespace sluice::model
