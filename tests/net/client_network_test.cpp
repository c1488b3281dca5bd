// Which addresses count as one client's.
#include "sluice/net/client_network.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "sluice/os/fd.hpp"

namespace sluice::net {
namespace {

client_network of(const char* address) {
    return network_of(address::parse(address).value());
}

TEST(client_network, is_the_address_of_ipv4) {
    EXPECT_EQ(of("192.0.2.1:1"), of("192.0.2.1:2"));
    EXPECT_NE(of("192.0.2.1:1"), of("192.0.2.2:1"));
}

TEST(client_network, is_that_of_ipv4_where_it_is_mapped) {
    EXPECT_EQ(of("[::ffff:192.0.2.1]:1"), of("192.0.2.1:1"));
    EXPECT_NE(of("[::ffff:192.0.2.1]:1"), of("[::ffff:192.0.2.2]:1"));
}

TEST(client_network, is_64_bits_of_ipv6) {
    EXPECT_EQ(of("[2001:db8::1]:1"), of("[2001:db8::ffff:1]:1"));
    EXPECT_NE(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
}

TEST(client_network, is_the_user_of_a_unix_socket) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const unique_fd one{ends[0]};
    const unique_fd other{ends[1]};
    const auto network = network_of(address::peer_of(one.get()).value());
    EXPECT_EQ(network, (client_network{.bits = ::getuid(), .family = AF_UNIX}));
    EXPECT_NE(network, client_network{});
    EXPECT_NE(network, of("[::1]:1"));
}

TEST(client_network, of_none_is_of_none) {
    EXPECT_EQ(network_of(address{}), client_network{});
}

}  // namespace
}  // namespace sluice::net
