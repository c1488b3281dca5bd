// Pacing is taken from sockets on loopback, and from no others.
#include "sluice/net/congestion.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "sluice/net/listener.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::net {
namespace {

std::string control_of(int socket) {
    std::array<char, 16> name{};
    socklen_t size = name.size();
    if (::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), &size) < 0) return "?";
    return name.data();
}

unique_fd socket_with(std::string_view control) {
    unique_fd made{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (::setsockopt(made.get(), IPPROTO_TCP, TCP_CONGESTION, control.data(),
                     static_cast<socklen_t>(control.size())) < 0) {
        made.reset();
    }
    return made;
}

TEST(congestion, is_not_paced_on_loopback) {
    for (const std::string_view here : {"127.0.0.1:1", "127.9.8.7:1", "[::1]:1"}) {
        const unique_fd socket = socket_with("bbr");
        if (!socket) GTEST_SKIP() << "this kernel has no BBR, or not for this user";
        avoid_pacing_on_loopback(socket.get(), *address::parse(here));
        EXPECT_EQ(control_of(socket.get()), "reno") << here;
    }
}

TEST(congestion, is_left_alone_where_there_is_a_network) {
    for (const std::string_view here :
         {"10.0.0.1:1", "128.0.0.1:1", "[fe80::1%1]:1", "0.0.0.0:1"}) {
        const unique_fd socket = socket_with("bbr");
        if (!socket) GTEST_SKIP() << "this kernel has no BBR, or not for this user";
        avoid_pacing_on_loopback(socket.get(), *address::parse(here));
        EXPECT_EQ(control_of(socket.get()), "bbr") << here;
    }
}

TEST(congestion, is_left_alone_where_it_does_not_pace) {
    const unique_fd socket = socket_with("reno");
    ASSERT_TRUE(socket);
    avoid_pacing_on_loopback(socket.get(), address::loopback(1));
    EXPECT_EQ(control_of(socket.get()), "reno");
}

TEST(congestion, of_a_listener_on_loopback_does_not_pace) {
    const auto listener = listen(address::loopback(0));
    ASSERT_TRUE(listener);
    EXPECT_FALSE(control_of(listener->get()).starts_with("bbr"));
}

}  // namespace
}  // namespace sluice::net
