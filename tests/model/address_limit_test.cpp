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
    address_limit limit{2, 100};
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
    address_limit limit{1, 100};
    const auto site = limit.admit(at("[2001:db8:0:1::1]:1"));
    EXPECT_TRUE(site);
    EXPECT_FALSE(limit.admit(at("[2001:db8:0:1:ffff::2]:2")));
    EXPECT_TRUE(limit.admit(at("[2001:db8:0:2::1]:1")));
    const auto mapped = limit.admit(at("[::ffff:10.0.0.1]:1"));
    EXPECT_TRUE(mapped);
    EXPECT_FALSE(limit.admit(at("10.0.0.1:2")));
}

TEST(address_limit, gives_an_address_a_quarter_and_loopback_all_by_default) {
    address_limit by_default{0, 8};
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
    address_limit limited{1, 8};
    const auto first = limited.admit(at("127.0.0.1:1"));
    EXPECT_TRUE(first);
    EXPECT_FALSE(limited.admit(at("127.0.0.1:2")));
}

}  // namespace
}  // namespace sluice::model
