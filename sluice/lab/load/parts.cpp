// Implements the parts of every load: connecting, epoll, the measured window.
#include "sluice/lab/load/parts.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/net/congestion.hpp"

namespace sluice::lab {

void give_up(std::string what) {
    throw load_error{{.what = std::move(what)}};
}

void give_up(const std::string& what, int code) {
    give_up(what + ": " + error::system(code).message());
}

void lose_server(std::string what) {
    throw load_error{{.what = std::move(what), .is_unreachable = true}};
}

void lose_server(const std::string& what, int code) {
    lose_server(what + ": " + error::system(code).message());
}

dialer::dialer(const net::address& address) : address_{address} {
    const auto text = address.to_string();
    is_loopback_ = text.starts_with("127.");
}

void dialer::refuse(int code) const {
    std::string advice;
    if (is_loopback_ && code == EADDRNOTAVAIL) {
        advice =
            "; no port is left to come from: wait a minute for those of connections that have "
            "ended, or widen net.ipv4.ip_local_port_range";
    } else if (is_loopback_ && code == ENETUNREACH) {
        advice = "; the loopback interface is down: `ip link set lo up` brings it up";
    }
    auto what = fmt::format("cannot connect to {}: {}{}", address_.to_string(),
                            error::system(code).message(), advice);
    if (!advice.empty()) give_up(std::move(what));
    lose_server(std::move(what));
}

unique_fd dialer::open(int flags) {
    unique_fd fd{::socket(address_.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
    if (!fd) give_up("cannot open socket " + std::to_string(dialled_ + 1), errno);
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    net::avoid_pacing_on_loopback(fd.get(), address_);
    constexpr std::uint32_t connections_per_source = 4000;
    constexpr std::uint32_t sources = 250;
    const std::uint32_t source = dialled_++ / connections_per_source % sources;
    if (is_loopback_) {
        // Otherwise bind(2) chooses the port before the destination is known, from ports that are
        // free for every destination (ip(7)).
        ::setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        sockaddr_in from{};
        from.sin_family = AF_INET;
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how sockets take addresses
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
            give_up("cannot bind to a source address", errno);
        }
    }
    return fd;
}

unique_fd dialer::dial() {
    unique_fd fd = open(SOCK_NONBLOCK);
    if (::connect(fd.get(), address_.data(), address_.size()) != 0 && errno != EINPROGRESS) {
        refuse(errno);
    }
    return fd;
}

unique_fd dialer::dial_and_wait() {
    unique_fd fd = open(0);
    if (::connect(fd.get(), address_.data(), address_.size()) != 0) refuse(errno);
    return fd;
}

readiness::readiness() : epoll_{::epoll_create1(EPOLL_CLOEXEC)} {
    if (!epoll_) give_up("cannot make an epoll set", errno);
}

void readiness::add(int fd, std::size_t number) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.u64 = number}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        give_up("cannot wait for a socket", errno);
    }
}

std::span<const epoll_event> readiness::wait(load_clock::duration timeout) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(timeout);
    const auto rest = std::chrono::nanoseconds{timeout - whole};
    const timespec limit{.tv_sec = whole.count(), .tv_nsec = rest.count()};
    const int count =
        ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                       timeout < load_clock::duration::zero() ? nullptr : &limit, nullptr);
    if (count < 0 && errno != EINTR) give_up("cannot wait for sockets", errno);
    return {events_.data(), static_cast<std::size_t>(std::max(0, count))};
}

long discard(int socket) noexcept {
    constexpr std::size_t max_bytes = std::size_t{1} << 30;
    const ssize_t got = ::recv(socket, nullptr, max_bytes, MSG_TRUNC | MSG_DONTWAIT);
    return got < 0 ? -errno : got;
}

window::window(const watched& server)
    : server_{server},
      server_before_{used_by(server)},
      load_before_{used_by_us()},
      begun_{load_clock::now()} {}

void window::close(outcome& o) const {
    o.seconds = in_seconds(load_clock::now() - begun_);
    o.load = used_by_us() - load_before_;
    if (server_.process > 0) o.server = used_by(server_) - server_before_;
}

}  // namespace sluice::lab
