// Addresses: read, written, resolved, taken from sockets, and refused with a reason.
#include "sluice/net/address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "sluice/os/fd.hpp"

namespace sluice::net {
namespace {

using namespace std::string_view_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct pair_of_texts {
    std::string_view given;
    std::string_view written;
};

TEST(address, reads_and_writes) {
    for (const auto& [given, written] : {
             pair_of_texts{"127.0.0.1:5000", "127.0.0.1:5000"},
             pair_of_texts{"5000", "127.0.0.1:5000"},
             pair_of_texts{"0", "127.0.0.1:0"},
             pair_of_texts{"00080", "127.0.0.1:80"},
             pair_of_texts{"65535", "127.0.0.1:65535"},
             pair_of_texts{"0.0.0.0:1", "0.0.0.0:1"},
             pair_of_texts{"255.255.255.255:65535", "255.255.255.255:65535"},
             pair_of_texts{"[::1]:5000", "[::1]:5000"},
             pair_of_texts{"[::]:0", "[::]:0"},
             pair_of_texts{"[2001:DB8:0:0::1]:443", "[2001:db8::1]:443"},
             pair_of_texts{"[fe80::1%7]:80", "[fe80::1%7]:80"},
         }) {
        const auto read = address::parse(given);
        ASSERT_TRUE(read) << given;
        EXPECT_EQ(read->to_string(), written);
        EXPECT_EQ(address::parse(read->to_string()), read) << "its own text reads back";
        EXPECT_THAT(why_no_address(given), IsEmpty());
    }
}

TEST(address, of_ipv4_within_ipv6_is_written_as_ipv4) {
    const auto mapped = address::parse("[::ffff:192.0.2.1]:80");
    ASSERT_TRUE(mapped);
    EXPECT_EQ(mapped->family(), AF_INET6);
    EXPECT_EQ(mapped->to_string(), "192.0.2.1:80");
}

TEST(address, knows_loopback) {
    for (const std::string_view here :
         {"127.0.0.1:1", "127.255.255.255:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
        EXPECT_TRUE(address::parse(here)->is_loopback()) << here;
    }
    for (const std::string_view there : {"126.0.0.1:1", "128.0.0.1:1", "0.0.0.0:1", "[::]:1",
                                         "[::ffff:10.0.0.1]:1", "[2001:db8::1]:1"}) {
        EXPECT_FALSE(address::parse(there)->is_loopback()) << there;
    }
    EXPECT_FALSE(address{}.is_loopback());
}

TEST(address, reads_a_zone_by_name) {
    const auto read = address::parse("[fe80::1%lo]:80");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->to_string(), "[fe80::1%" + std::to_string(::if_nametoindex("lo")) + "]:80");
}

TEST(address, refuses_and_says_why) {
    struct refusal {
        std::string_view given;
        std::string_view reason;
    };
    for (const auto& [given, reason] : {
             refusal{"", "empty"},
             refusal{"localhost", "no port"},
             refusal{"127.0.0.1", "no port"},
             refusal{"127.0.0.1:", "no port"},
             refusal{"[::1]", "no port"},
             refusal{"[::1]5000", "no port"},
             refusal{"[::1]:", "no port"},
             refusal{":5000", "no host"},
             refusal{":", "no host"},
             refusal{"127.0.0.1:http", "not a number"},
             refusal{"127.0.0.1:-1", "not a number"},
             refusal{"127.0.0.1:+1", "not a number"},
             refusal{"127.0.0.1: 1", "not a number"},
             refusal{"127.0.0.1:1 ", "not a number"},
             refusal{"127.0.0.1:0x50", "not a number"},
             refusal{"127.0.0.1:65536", "too large"},
             refusal{"65536", "too large"},
             refusal{"99999999999999999999999", "too large"},
             refusal{"-1", "no port"},
             refusal{"[::1:5000", "bracket"},
             refusal{"::1", "brackets"},
             refusal{"::1:5000", "brackets"},
             refusal{"[]:5000", "not an IPv6 address"},
             refusal{"[127.0.0.1]:5000", "not an IPv6 address"},
             refusal{"[::1%]:5000", "not an IPv6 address"},
             refusal{"[::1%nosuchinterface]:5000", "not an IPv6 address"},
             refusal{"[localhost]:5000", "not an IPv6 address"},
             refusal{"[::1\0]:5000"sv, "neither a name"},
             refusal{"[::1%lo\0x]:5000"sv, "neither a name"},
             refusal{"127.1:5000", "not an IPv4 address"},
             refusal{"256.0.0.1:5000", "not an IPv4 address"},
             refusal{"1.2.3.4.5:5000", "not an IPv4 address"},
             refusal{"127.0.0.1\0:5000"sv, "neither a name"},
             refusal{"http://host:5000", "neither a name"},
             refusal{"a b:5000", "neither a name"},
             refusal{"ab/c:5000", "neither a name"},
             refusal{"\n:5000", "neither a name"},
         }) {
        EXPECT_EQ(address::parse(given), failure(fault::bad_address)) << given;
        EXPECT_FALSE(resolve(given)) << given;
        EXPECT_THAT(why_no_address(given), HasSubstr(reason)) << given;
    }
}

TEST(address, a_long_host_is_refused) {
    const std::string host(254, 'a');
    EXPECT_EQ(resolve(host + ":1"), failure(fault::bad_address));
    EXPECT_LT(why_no_address(host + ":1").size(), 250U);
}

TEST(address, a_reason_holds_no_control_characters) {
    const auto why = why_no_address("\x1b[2J\x07");
    EXPECT_THAT(why, Not(HasSubstr("\x1b")));
    EXPECT_THAT(why, HasSubstr("\\x1b[2J\\x07"));
}

TEST(address, parse_leaves_names_to_the_resolver) {
    EXPECT_EQ(address::parse("localhost:5000"), failure(fault::bad_address));
    EXPECT_THAT(why_no_address("localhost:5000"), IsEmpty());
}

TEST(address, resolves_a_name) {
    const auto found = resolve("localhost:5000");
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_THAT(*found, Contains(address::loopback(5000)));
}

TEST(address, resolves_a_literal_to_itself) {
    const auto found = resolve("[::1]:5000");
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front(), address::parse("[::1]:5000"));
}

TEST(address, a_star_is_every_interface) {
    EXPECT_EQ(address::parse("*:5000"), address::any(5000));
    EXPECT_EQ(address::parse("*.example:5000"), failure(fault::bad_address)) << "a name";
    EXPECT_EQ(address::parse("[*]:5000"), failure(fault::bad_address));
}

TEST(address, a_name_that_does_not_exist_is_the_resolvers_error) {
    const auto found = resolve("no-such-host.invalid:5000");  // RFC 6761, section 6.4
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().whose(), error::category::resolver);
    EXPECT_THAT(found.error().message(), Not(IsEmpty()));
}

TEST(address, none_is_none) {
    const address none;
    EXPECT_EQ(none.family(), AF_UNSPEC);
    EXPECT_EQ(none.port(), 0);
    EXPECT_EQ(none.to_string(), "-");
    EXPECT_EQ(none, address{});
    EXPECT_NE(none, address::any(0));
}

TEST(address, compares_host_port_and_zone) {
    EXPECT_EQ(address::loopback(1), address::parse("1"));
    EXPECT_NE(address::loopback(1), address::loopback(2));
    EXPECT_NE(address::loopback(1), address::any(1));
    EXPECT_NE(address::parse("[::1]:1"), address::parse("[::2]:1"));
    EXPECT_NE(address::parse("[fe80::1%1]:1"), address::parse("[fe80::1%2]:1"));
    EXPECT_NE(address::parse("[::ffff:127.0.0.1]:1"), address::loopback(1));
}

TEST(address, changes_its_port) {
    EXPECT_EQ(address::loopback(1).with_port(2), address::loopback(2));
    EXPECT_EQ(address::parse("[::1]:1")->with_port(2), address::parse("[::1]:2"));
    EXPECT_EQ(address{}.with_port(2), address{});
}

TEST(address, goes_through_sockets) {
    for (const auto* text : {"127.0.0.1:0", "[::1]:0"}) {
        const auto wanted = address::parse(text);
        ASSERT_TRUE(wanted);
        const unique_fd listener{::socket(wanted->family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (::bind(listener.get(), wanted->data(), wanted->size()) != 0 &&
            wanted->family() == AF_INET6 && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)) {
            GTEST_SKIP() << "this machine has no IPv6";
        }
        ASSERT_EQ(::listen(listener.get(), 1), 0);
        const auto bound = address::local_of(listener.get());
        ASSERT_TRUE(bound);
        EXPECT_EQ(bound->with_port(0), wanted);
        EXPECT_NE(bound->port(), 0);

        const unique_fd client{::socket(bound->family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
        ASSERT_EQ(::connect(client.get(), bound->data(), bound->size()), 0);
        EXPECT_EQ(address::peer_of(client.get()), bound);

        address peer;
        socklen_t size = address::capacity();
        const unique_fd accepted{::accept4(listener.get(), peer.writable(), &size, SOCK_CLOEXEC)};
        ASSERT_TRUE(accepted);
        EXPECT_EQ(size, peer.size());
        EXPECT_EQ(peer, address::local_of(client.get()));
        EXPECT_EQ(peer, address::peer_of(accepted.get()));
    }
}

TEST(address, names_unix_sockets) {
    for (const auto* text : {"unix:/run/sluice/chat.sock", "unix:relative", "unix:@name"}) {
        const auto named = address::parse(text);
        ASSERT_TRUE(named) << text;
        EXPECT_EQ(named->family(), AF_UNIX);
        EXPECT_TRUE(named->is_unix());
        EXPECT_TRUE(named->is_loopback());
        EXPECT_EQ(named->port(), 0);
        EXPECT_EQ(named->to_string(), text);
        EXPECT_EQ(address::parse(text), named);
        EXPECT_EQ(address::from(named->data(), named->size()), named);
    }
    EXPECT_EQ(address::parse("unix:/run/x")->path(), "/run/x");
    // What a terminal would obey is in the path, and escaped in what is shown.
    EXPECT_EQ(address::parse("unix:/run/\x1b[m")->path(), "/run/\x1b[m");
    EXPECT_EQ(address::parse("unix:/run/\x1b[m")->to_string(), "unix:/run/\\x1b[m");
    EXPECT_EQ(address::parse("unix:@x")->path(), "");
    EXPECT_EQ(address::loopback(1).path(), "");
    EXPECT_NE(address::parse("unix:/run/x"), address::parse("unix:/run/y"));
    EXPECT_NE(address::parse("unix:x"), address::parse("unix:@x"));
    EXPECT_NE(address::parse("unix:/run/x"), address::loopback(0));
    for (const std::string& text :
         {std::string{"unix:"}, std::string{"unix:@"}, "unix:/" + std::string(108, 'x')}) {
        EXPECT_EQ(address::parse(text), failure(fault::bad_address)) << text;
        EXPECT_FALSE(why_no_address(text).empty());
    }
    EXPECT_TRUE(address::parse("unix:/" + std::string(106, 'x')));
}

TEST(address, shows_the_process_at_the_other_end_of_a_unix_socket) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    const unique_fd one{ends[0]};
    const unique_fd other{ends[1]};
    const auto peer = address::peer_of(one.get());
    ASSERT_TRUE(peer);
    EXPECT_TRUE(peer->is_loopback());
    EXPECT_EQ(peer->user(), ::getuid());
    EXPECT_EQ(peer->path(), "");
    EXPECT_EQ(peer->to_string(),
              "unix:uid=" + std::to_string(::getuid()) + ",pid=" + std::to_string(::getpid()));
    EXPECT_EQ(address::peer_of(other.get()), peer);
}

TEST(address, says_what_the_kernel_said) {
    EXPECT_EQ(address::local_of(-1), failure_of(EBADF));
    const unique_fd lonely{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(address::peer_of(lonely.get()), failure_of(ENOTCONN));
}

TEST(address, refuses_other_families_and_cut_addresses) {
    const unique_fd local{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    EXPECT_EQ(address::local_of(local.get()), failure(fault::unsupported));
    const auto whole = address::loopback(1);
    EXPECT_EQ(address::from(whole.data(), whole.size()), whole);
    EXPECT_EQ(address::from(whole.data(), whole.size() - 1), failure(fault::unsupported));
    EXPECT_EQ(address::from(whole.data(), 0), failure(fault::unsupported));
}

}  // namespace
}  // namespace sluice::net
