// Networks, and the addresses that are in them.
#include "sluice/net/network.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace sluice::net {
namespace {

bool covers(std::string_view of, std::string_view host) {
    const auto made = network::parse(of);
    const auto where = parse_host(host);
    EXPECT_TRUE(made) << of;
    EXPECT_TRUE(where) << host;
    return made && where && made->covers(*where);
}

TEST(network, covers_the_addresses_that_begin_as_it_does) {
    EXPECT_TRUE(covers("10.0.0.0/8", "10.255.255.255"));
    EXPECT_FALSE(covers("10.0.0.0/8", "11.0.0.0"));
    EXPECT_FALSE(covers("10.0.0.0/8", "9.255.255.255"));
    EXPECT_TRUE(covers("192.0.2.128/25", "192.0.2.255"));
    EXPECT_FALSE(covers("192.0.2.128/25", "192.0.2.127"));
    EXPECT_TRUE(covers("0.0.0.0/0", "203.0.113.9"));
    EXPECT_TRUE(covers("2001:db8::/32", "2001:db8:ffff::1"));
    EXPECT_FALSE(covers("2001:db8::/32", "2001:db9::1"));
    EXPECT_TRUE(covers("2001:db8::8/125", "2001:db8::f"));
    EXPECT_FALSE(covers("2001:db8::8/125", "2001:db8::10"));
    EXPECT_TRUE(covers("::/0", "2001:db8::1"));
}

TEST(network, of_one_address_covers_it_alone) {
    for (const auto* const text : {"192.0.2.1", "192.0.2.1/32"}) {
        EXPECT_TRUE(covers(text, "192.0.2.1"));
        EXPECT_TRUE(covers(text, "192.0.2.1:5000"));
        EXPECT_FALSE(covers(text, "192.0.2.0"));
        EXPECT_FALSE(covers(text, "192.0.2.3"));
    }
    for (const auto* const text : {"::1", "[::1]", "::1/128"}) {
        EXPECT_TRUE(covers(text, "[::1]:5000"));
        EXPECT_FALSE(covers(text, "::2"));
        EXPECT_FALSE(covers(text, "127.0.0.1"));
    }
}

TEST(network, ignores_bits_behind_its_own) {
    EXPECT_TRUE(covers("10.1.2.3/8", "10.9.9.9"));
    EXPECT_TRUE(covers("2001:db8::1/32", "2001:db8:1::"));
}

TEST(network, takes_a_mapped_address_for_ipv4) {
    EXPECT_TRUE(covers("127.0.0.0/8", "::ffff:127.0.0.1"));
    EXPECT_TRUE(covers("::ffff:127.0.0.1", "127.0.0.1"));
    EXPECT_FALSE(covers("::/0", "::ffff:127.0.0.1"));
    EXPECT_FALSE(covers("::/0", "127.0.0.1"));
    EXPECT_FALSE(covers("0.0.0.0/0", "::1"));
}

TEST(network, covers_no_missing_address) {
    EXPECT_FALSE(network::parse("0.0.0.0/0")->covers(address{}));
    EXPECT_FALSE(network::parse("::/0")->covers(address{}));
    EXPECT_FALSE(net::covers({}, address::loopback(1)));
    const std::vector two{*network::parse("10.0.0.0/8"), *network::parse("127.0.0.1")};
    EXPECT_TRUE(net::covers(two, address::loopback(1)));
}

TEST(network, is_not_parsed_from_other_text) {
    for (const auto* const text : {"",
                                   "/",
                                   "/8",
                                   "10.0.0.0/",
                                   "10.0.0.0/33",
                                   "10.0.0.0/-1",
                                   "10.0.0.0/8/8",
                                   "10.0.0/8",
                                   "10.0.0.0:80",
                                   "10.0.0.0 /8",
                                   "::1/129",
                                   "[::1/128",
                                   "::1]",
                                   "fe80::1%lo",
                                   "[fe80::1%1]",
                                   "localhost",
                                   "*",
                                   "5000",
                                   "a.example/8",
                                   "::ffff:10.0.0.0/104"}) {
        EXPECT_FALSE(network::parse(text)) << text;
        EXPECT_NE(why_no_network(text), "") << text;
    }
    EXPECT_EQ(why_no_network("\x1b[31m"),
              "'\\x1b[31m' is no address or network; write one as in 127.0.0.1, 10.0.0.0/8 or "
              "fd00::/8, or unix");
    EXPECT_EQ(why_no_network("10.0.0.0/8"), "");
}

TEST(parse_host, knows_no_unix_sockets) {
    // They may stand in X-Forwarded-For, and what is read there must not stay in memory.
    for (const auto* const text : {"unix:a.b", "unix:/run/a.b", "unix:@a.b", "unix:/a"}) {
        EXPECT_FALSE(parse_host(text)) << text;
        EXPECT_FALSE(network::parse(text)) << text;
    }
}

TEST(parse_host, reads_addresses_with_and_without_a_port) {
    const auto shown = [](std::string_view text) {
        const auto found = parse_host(text);
        return found ? found->to_string() : std::string{"none"};
    };
    EXPECT_EQ(shown("192.0.2.1"), "192.0.2.1:0");
    EXPECT_EQ(shown("192.0.2.1:80"), "192.0.2.1:80");
    EXPECT_EQ(shown("2001:db8::1"), "[2001:db8::1]:0");
    EXPECT_EQ(shown("[2001:db8::1]"), "[2001:db8::1]:0");
    EXPECT_EQ(shown("[2001:db8::1]:80"), "[2001:db8::1]:80");
    for (const auto* const text : {"", "unknown", "_hidden", "80", "a.example", "a.example:80",
                                   "192.0.2.1:", "192.0.2.1:x", "[::1]x", "1.2.3.4.5", ":::"}) {
        EXPECT_EQ(shown(text), "none") << text;
    }
}

TEST(network, unix_is_that_of_all_unix_sockets_alone) {
    const auto all = network::parse("unix");
    ASSERT_TRUE(all);
    EXPECT_TRUE(all->covers(*address::parse("unix:/run/x")));
    EXPECT_FALSE(all->covers(address::loopback(1)));
    EXPECT_FALSE(all->covers(address{}));
    for (const auto* text : {"0.0.0.0/0", "::/0"}) {
        EXPECT_FALSE(network::parse(text)->covers(*address::parse("unix:/run/x"))) << text;
    }
    EXPECT_FALSE(network::parse("unix/8"));
}

}  // namespace
}  // namespace sluice::net
