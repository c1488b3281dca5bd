// Implements plain_client over a non-blocking socket and ppoll(2).
#include "tests/worlds/waiting.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"
#include "tests/worlds/secure.hpp"

namespace sluice::worlds {
void wait_a_while() {
    os::sleep_for(std::chrono::milliseconds{50});
}

std::optional<plain_client> plain_client::connect(std::uint16_t port,
                                                  std::chrono::milliseconds patience) {
    unique_fd socket{os::sys().socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!socket) return std::nullopt;
    const auto where = net::address::loopback(port);
    plain_client made{std::move(socket), patience};
    int failed = os::sys().connect(made.fd(), where.data(), where.size());
    if (failed == -EINPROGRESS || failed == -EINTR) {
        if (!made.wait(POLLOUT)) return std::nullopt;
        socklen_t size = sizeof failed;
        if (os::sys().getsockopt(made.fd(), SOL_SOCKET, SO_ERROR, &failed, size) < 0) failed = -1;
    }
    if (failed != 0 || !made.shake_hands()) return std::nullopt;
    return made;
}

bool plain_client::shake_hands() {
    if (client_tls() == nullptr) return true;
    auto begun = client_tls()->connect({});
    if (!begun) return false;
    secure_ = std::move(*begun);
    for (;;) {
        const int step = secure_->handshake(fd());
        if ((step < 0 && step != -EAGAIN) || !flush()) return false;
        if (step == 0) return client_tls()->check(*secure_).has_value();
        if (!wait(POLLIN)) return false;
    }
}

bool plain_client::flush() const noexcept {
    if (!secure_) return true;
    for (;;) {
        const int left = secure_->flush(fd());
        if (left != -EAGAIN) return left == 0;
        if (!wait(POLLOUT)) return false;
    }
}

ssize_t plain_client::try_send(const_bytes data) const noexcept {
    return secure_ ? secure_->send(fd(), data, false)
                   : os::sys().send(fd(), data, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t plain_client::receive(mutable_bytes into) const noexcept {
    return secure_ ? secure_->receive(fd(), into) : os::sys().recv(fd(), into, MSG_DONTWAIT);
}

bool plain_client::wait(short events) const noexcept {
    const auto until = os::clock::now() + patience_;
    std::array<pollfd, 1> watched{{{.fd = socket_.get(), .events = events, .revents = 0}}};
    for (;;) {
        const auto left = until - os::clock::now();
        if (left.count() <= 0) return false;
        const timespec timeout = os::timespec_of(left);
        const int n = os::sys().ppoll(watched, &timeout);
        if (n > 0) return true;
        if (n == 0) return false;
    }
}

bool plain_client::send(std::string_view text) {
    while (!text.empty()) {
        const auto n = try_send(as_bytes(text));
        if (n > 0) {
            text.remove_prefix(static_cast<std::size_t>(n));
        } else if (n == -EAGAIN) {
            if (!wait(POLLOUT)) return false;
        } else if (n != -EINTR) {
            return false;
        }
    }
    return flush();
}

std::optional<std::string> plain_client::some() {
    if (!received_.empty()) return std::exchange(received_, {});
    for (;;) {
        std::array<std::byte, 4096> piece{};
        const auto n = receive(piece);
        if (n >= 0) {
            at_end_ = n == 0;
            return std::string{as_text(std::span{piece}.first(static_cast<std::size_t>(n)))};
        }
        if (n == -EAGAIN) {
            if (!wait(POLLIN)) return std::nullopt;
        } else if (n != -EINTR) {
            return std::nullopt;
        }
    }
}

std::optional<std::string> plain_client::line() {
    std::string read = std::exchange(received_, {});
    for (;;) {
        if (const auto end = read.find('\n'); end != std::string::npos) {
            received_ = read.substr(end + 1);
            read.resize(end);
            return read;
        }
        const auto more = some();
        if (!more || more->empty()) return std::nullopt;
        read += *more;
    }
}

bool plain_client::ended() {
    const auto more = some();
    return more && more->empty();
}

void plain_client::shut() noexcept {
    if (secure_) {
        secure_->end();
        static_cast<void>(flush());
    }
    static_cast<void>(os::sys().shutdown(fd(), SHUT_WR));
}

void plain_client::reset() noexcept {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    static_cast<void>(os::sys().setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    socket_.reset();
}

}  // namespace sluice::worlds
