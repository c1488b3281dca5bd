// Blocking calls on plain sockets; what fails here is the test's own ground, so it throws.
#include "tests/support/sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace sluice::test {
namespace {

int or_throw(int value, const char* what) {
    if (value < 0) throw std::system_error{errno, std::generic_category(), what};
    return value;
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(port);
    return where;
}

const sockaddr* general(const sockaddr_in& where) {
    return reinterpret_cast<const sockaddr*>(&where);
}

std::string in_parentheses(error e) {
    return "(" + e.message() + ")";
}

}  // namespace

socket_pair local_pair() {
    std::array<int, 2> ends{};
    or_throw(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

socket_pair tcp_pair() {
    const listening listener = listen_on_loopback(1);
    unique_fd theirs = connect_to(listener.port);
    unique_fd ours{
        or_throw(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4")};
    return {std::move(ours), std::move(theirs)};
}

void shrink_buffers(int fd) {
    const int least = 1;
    or_throw(::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), "SO_SNDBUF");
    or_throw(::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least), "SO_RCVBUF");
}

void reset_at_close(int fd) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    or_throw(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
}

listening listen_on_loopback(int backlog) {
    unique_fd socket{or_throw(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    sockaddr_in where = loopback(0);
    or_throw(::bind(socket.get(), general(where), sizeof where), "bind");
    or_throw(::listen(socket.get(), backlog), "listen");
    socklen_t length = sizeof where;
    or_throw(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&where), &length),
             "getsockname");
    return {std::move(socket), ntohs(where.sin_port)};
}

unique_fd connect_to(std::uint16_t port) {
    unique_fd socket{or_throw(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")};
    const sockaddr_in where = loopback(port);
    or_throw(::connect(socket.get(), general(where), sizeof where), "connect");
    return socket;
}

void write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        or_throw(static_cast<int>(n), "write");
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string read_exactly(int fd, std::size_t size) {
    std::string text(size, '\0');
    std::size_t had = 0;
    while (had < size) {
        const auto n = ::read(fd, text.data() + had, size - had);
        if (n < 0 && errno == EINTR) continue;
        or_throw(static_cast<int>(n), "read");
        if (n == 0) break;
        had += static_cast<std::size_t>(n);
    }
    text.resize(had);
    return text;
}

std::string read_to_end(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const auto n = ::read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

std::string read_what_is_there(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    for (;;) {
        const auto n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (n <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

std::size_t fill(int fd) {
    const std::string block(4096, 'f');
    std::size_t sent = 0;
    for (;;) {
        const auto n = ::send(fd, block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0) return sent;
        sent += static_cast<std::size_t>(n);
    }
}

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    std::uint32_t state = 1;
    for (char& c : text) {
        state = (state * 1664525U) + 1013904223U;
        c = static_cast<char>(state >> 24);
    }
    return text;
}

std::string shown(const result<io::lease>& got) {
    if (!got) return in_parentheses(got.error());
    return got->empty() ? "(end)" : std::string{got->text()};
}

std::string shown(const result<void>& done) {
    return done ? "(ok)" : in_parentheses(done.error());
}

std::string shown(const result<std::size_t>& count) {
    return count ? std::to_string(*count) : in_parentheses(count.error());
}

std::string shown(const result<int>& count) {
    return count ? std::to_string(*count) : in_parentheses(count.error());
}

}  // namespace sluice::test
