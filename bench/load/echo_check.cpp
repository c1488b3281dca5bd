// Echo clients for what is not speed: whether every byte comes back, and what idle ones cost.
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <vector>

#include "common.hpp"
#include "echo.hpp"
#include "sluice/os/fd.hpp"

namespace load {
namespace {

/// What stands at one place of a client's stream. The period of 2^16 bytes is longer than what a
/// server could plausibly repeat or swap, and neighbours in place and in client differ.
std::uint8_t pattern(std::size_t client, std::uint64_t place) {
    return static_cast<std::uint8_t>(client * 17 + place * 131 + (place >> 8) * 29);
}

struct checked_client {
    sluice::unique_fd fd;
    std::uint64_t sent = 0;    // bytes
    std::uint64_t echoed = 0;  // bytes
    bool shut = false;         // our side has ended
    bool ended = false;        // the server's side has
};

class verifier {
 public:
    explicit verifier(const echo_options& o)
        : o_{o}, clients_(o.connections), out_(1 << 16), in_(1 << 16) {
        epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
        if (!epoll_) fail_with_errno("epoll_create1");
        for (std::size_t i = 0; i < clients_.size(); ++i) {
            clients_[i].fd = connect_to(o.port, i);
            epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.u64 = i}};
            if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, clients_[i].fd.get(), &event) != 0) {
                fail_with_errno("epoll_ctl");
            }
        }
    }

    void run() {
        std::array<epoll_event, 256> events{};
        const auto start = clock_type::now();
        constexpr double timeout = 10;
        for (std::size_t open = clients_.size(); open > 0;) {
            const double now = seconds{clock_type::now() - start}.count();
            if (!ending_ && now >= o_.measured) {
                ending_ = true;
                for (std::size_t i = 0; i < clients_.size(); ++i) push(i);
            }
            if (now > o_.measured + timeout) {
                fail(std::to_string(open) + " connections were not ended by the server " +
                     std::to_string(static_cast<int>(timeout)) + " seconds after we ended ours");
            }
            const int count =
                epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 20);
            if (count < 0 && errno != EINTR) fail_with_errno("epoll_wait");
            for (int i = 0; i < count; ++i) {
                const std::size_t index = events[static_cast<std::size_t>(i)].data.u64;
                if (clients_[index].ended) continue;
                pull(index);
                push(index);
                if (clients_[index].ended) --open;
            }
        }
        std::uint64_t bytes = 0;
        for (const checked_client& c : clients_) bytes += c.echoed;
        std::printf("{\"verified_bytes\": %llu, \"connections\": %zu}\n",
                    static_cast<unsigned long long>(bytes), clients_.size());
    }

 private:
    // Keeps size x depth bytes under way.
    void push(std::size_t index) {
        checked_client& c = clients_[index];
        while (!c.shut) {
            const std::uint64_t under_way = c.sent - c.echoed;
            const std::uint64_t allowed = o_.size * o_.depth;
            if (ending_ || under_way >= allowed) break;
            const auto n =
                static_cast<std::size_t>(std::min<std::uint64_t>(allowed - under_way, out_.size()));
            for (std::size_t i = 0; i < n; ++i) out_[i] = pattern(index, c.sent + i);
            const ssize_t sent = send(c.fd.get(), out_.data(), n, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent < 0 && errno == EAGAIN) return;
            if (sent < 0) fail_with_errno("sending to the server");
            c.sent += static_cast<std::uint64_t>(sent);
        }
        if (ending_ && !c.shut) {
            c.shut = true;
            if (shutdown(c.fd.get(), SHUT_WR) != 0) fail_with_errno("shutdown");
        }
    }

    void pull(std::size_t index) {
        checked_client& c = clients_[index];
        for (;;) {
            const ssize_t got = recv(c.fd.get(), in_.data(), in_.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EAGAIN) return;
            if (got < 0) fail_with_errno("receiving from the server");
            if (got == 0) {
                if (!c.shut || c.echoed != c.sent) {
                    fail("the server ended connection " + std::to_string(index) + " after " +
                         std::to_string(c.echoed) + " of " + std::to_string(c.sent) + " bytes");
                }
                c.ended = true;
                return;
            }
            for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
                if (in_[i] == pattern(index, c.echoed + i)) continue;
                fail("connection " + std::to_string(index) + ", byte " +
                     std::to_string(c.echoed + i) + ": " + std::to_string(in_[i]) +
                     " came back where " + std::to_string(pattern(index, c.echoed + i)) +
                     " was sent");
            }
            c.echoed += static_cast<std::uint64_t>(got);
            if (c.echoed > c.sent) fail("the server sent more than it was sent");
        }
    }

    echo_options o_;
    std::vector<checked_client> clients_;
    std::vector<std::uint8_t> out_;
    std::vector<std::uint8_t> in_;
    sluice::unique_fd epoll_;
    bool ending_ = false;
};

}  // namespace

void verify_echo(const echo_options& options) {
    verifier{options}.run();
}

void hold_echo(const echo_options& options) {
    const std::vector<char> message(options.size, 'x');
    std::vector<sluice::unique_fd> connections;
    connections.reserve(options.connections);
    for (std::size_t i = 0; i < options.connections; ++i) {
        connections.push_back(connect_to(options.port, i));
        const int fd = connections.back().get();
        if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(message.size())) {
            fail_with_errno("sending to the server");
        }
        if (recv(fd, nullptr, message.size(), MSG_TRUNC | MSG_WAITALL) !=
            static_cast<ssize_t>(message.size())) {
            fail_with_errno("receiving from the server");
        }
    }
    std::printf("{\"held\": %zu}\n", connections.size());
    std::fflush(stdout);
    std::array<char, 256> ignored{};
    while (read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) {
    }
}

}  // namespace load
