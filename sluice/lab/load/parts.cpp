// Connects, waits, reads clocks.
#include "sluice/lab/load/parts.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "sluice/base/result.hpp"
#include "sluice/net/congestion.hpp"

namespace sluice::lab {

void give_up(const std::string& what) {
    throw trouble{what};
}

void give_up(const std::string& what, int code) {
    throw trouble{what + ": " + error::system(code).message()};
}

dialer::dialer(const net::address& where) : where_{where} {
    const auto text = where.to_string();
    here_ = text.starts_with("127.");
}

void dialer::refuse(int code) const {
    std::string advice;
    if (here_ && code == EADDRNOTAVAIL) {
        advice =
            "; no port is left to come from: wait a minute for those of connections that have "
            "ended, or widen net.ipv4.ip_local_port_range";
    } else if (here_ && code == ENETUNREACH) {
        advice = "; the loopback interface is down: `ip link set lo up` brings it up";
    }
    give_up(fmt::format("cannot connect to {}: {}{}", where_.to_string(),
                        error::system(code).message(), advice));
}

unique_fd dialer::open(int flags) {
    unique_fd fd{::socket(where_.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
    if (!fd) give_up("cannot open socket " + std::to_string(dialled_ + 1), errno);
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    net::spare_pacing(fd.get(), where_);
    constexpr std::uint32_t connections_a_source = 4000;
    constexpr std::uint32_t sources = 250;
    const std::uint32_t source = dialled_++ / connections_a_source % sources;
    if (here_) {
        // Without it the port is chosen before the destination is known, from those free
        // everywhere.
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
    if (::connect(fd.get(), where_.data(), where_.size()) != 0 && errno != EINPROGRESS) {
        refuse(errno);
    }
    return fd;
}

unique_fd dialer::dial_and_wait() {
    unique_fd fd = open(0);
    if (::connect(fd.get(), where_.data(), where_.size()) != 0) refuse(errno);
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

std::span<const epoll_event> readiness::wait(load_clock::duration patience) {
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(patience);
    const auto rest = std::chrono::nanoseconds{patience - whole};
    const timespec limit{.tv_sec = whole.count(), .tv_nsec = rest.count()};
    const int count =
        ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                       patience < load_clock::duration::zero() ? nullptr : &limit, nullptr);
    if (count < 0 && errno != EINTR) give_up("cannot wait for sockets", errno);
    return {events_.data(), static_cast<std::size_t>(std::max(0, count))};
}

long discard(int socket) noexcept {
    constexpr std::size_t everything = std::size_t{1} << 30;
    const ssize_t got = ::recv(socket, nullptr, everything, MSG_TRUNC | MSG_DONTWAIT);
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
