// Moves files for a comparison: downloads that are dropped in the kernel, uploads that come from
// memory, small files over kept connections; says in JSON how fast that was.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/load/common.hpp"
#include "bench/load/options.hpp"
#include "sluice/os/fd.hpp"

namespace {

constexpr std::size_t large_step = std::size_t{1} << 20;
constexpr std::uint64_t largest = std::uint64_t{1} << 40;

enum class job : std::uint8_t { get, take, put, raw, small };

struct arguments {
    job what = job::get;
    std::uint16_t port = 0;
    std::string path = "/";
    std::size_t clients = 1;
    std::uint64_t size = 0;   ///< of each upload
    std::uint64_t files = 1;  ///< small ones, by the names PATH0, PATH1 ...
    bool blocks = true;       ///< uploads are sent in blocking calls of 256 KiB; else in a megabyte
                              ///< each, without blocking
    double seconds = 2;       ///< for small files
    pid_t server = 0;
};

std::uint64_t content_length(std::string_view head) {
    constexpr std::string_view name = "ontent-";
    for (std::size_t at = head.find(name); at != std::string_view::npos;
         at = head.find(name, at + 1)) {
        const auto rest = head.substr(at + name.size());
        if (!rest.starts_with("Length: ") && !rest.starts_with("length: ")) continue;
        std::uint64_t value = 0;
        std::from_chars(rest.data() + 8, rest.data() + rest.size(), value);
        return value;
    }
    return 0;
}

/// Reads up to the end of a reply's head, not a byte more: the head.
std::string read_head(int socket) {
    std::array<char, 8192> buffer{};
    for (;;) {
        const auto n = ::recv(socket, buffer.data(), buffer.size(), MSG_PEEK);
        if (n <= 0) load::fail("the server went away before it answered");
        const std::string_view seen{buffer.data(), static_cast<std::size_t>(n)};
        const auto end = seen.find("\r\n\r\n");
        if (end == std::string_view::npos && seen.size() < buffer.size()) continue;
        if (end == std::string_view::npos) load::fail("the server's head has no end");
        std::string head{seen.substr(0, end + 4)};
        if (::recv(socket, buffer.data(), head.size(), 0) < 0) load::fail_with_errno("recv");
        return head;
    }
}

void expect_success(std::string_view head) {
    if (head.substr(0, 10) != "HTTP/1.1 2") {
        load::fail("the server answered " + std::string{head.substr(0, head.find('\r'))});
    }
}

void send_text(int socket, std::string_view text) {
    if (::send(socket, text.data(), text.size(), MSG_NOSIGNAL) < 0) load::fail_with_errno("send");
}

/// Drops `size` bytes without copying them (tcp(7), MSG_TRUNC).
void drop(int socket, std::uint64_t size) {
    while (size > 0) {
        const auto n =
            ::recv(socket, nullptr, std::min<std::uint64_t>(size, large_step), MSG_TRUNC);
        if (n <= 0) load::fail("the server sent less than it said");
        size -= static_cast<std::uint64_t>(n);
    }
}

std::uint64_t get(const arguments& a, std::size_t number) {
    const auto socket = load::connect_to(a.port, number);
    send_text(socket.get(), "GET " + a.path + " HTTP/1.1\r\nHost: here\r\n\r\n");
    const auto head = read_head(socket.get());
    expect_success(head);
    const auto size = content_length(head);
    drop(socket.get(), size);
    return size;
}

/// A raw endpoint has nothing to ask for: everything up to the end.
std::uint64_t take(const arguments& a, std::size_t number) {
    const auto socket = load::connect_to(a.port, number);
    return load::drop_to_end(socket.get());
}

void send_source(int socket, std::span<const std::uint32_t> source, std::uint64_t size) {
    const auto bytes = std::as_bytes(source);
    for (std::uint64_t sent = 0; sent < size;) {
        const auto left = bytes.subspan(static_cast<std::size_t>(sent % bytes.size()));
        const auto n = ::send(socket, left.data(),
                              std::min<std::uint64_t>(size - sent, left.size()), MSG_NOSIGNAL);
        if (n <= 0) load::fail_with_errno("the server took no more");
        sent += static_cast<std::uint64_t>(n);
    }
}

/// A megabyte over and over, as fast as the socket takes it: what a client on an event loop does.
void send_without_blocking(int socket, std::uint64_t size) {
    const std::vector<std::byte> block(large_step, std::byte{'x'});
    const std::span bytes{block};
    for (std::uint64_t sent = 0; sent < size;) {
        const auto left = bytes.subspan(static_cast<std::size_t>(sent % bytes.size()));
        const auto n =
            ::send(socket, left.data(), std::min<std::uint64_t>(size - sent, left.size()),
                   MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            sent += static_cast<std::uint64_t>(n);
            continue;
        }
        pollfd room{.fd = socket, .events = POLLOUT, .revents = 0};
        if (errno != EAGAIN || ::poll(&room, 1, -1) < 0) {
            load::fail_with_errno("the server took no more");
        }
    }
}

std::uint64_t put(const arguments& a, std::span<const std::uint32_t> source, std::size_t number) {
    const auto socket = load::connect_to(a.port, number);
    if (a.what == job::put) {
        send_text(socket.get(), "PUT " + a.path + std::to_string(number) +
                                    " HTTP/1.1\r\nHost: here\r\nContent-Length: " +
                                    std::to_string(a.size) + "\r\n\r\n");
    }
    if (a.blocks) {
        send_source(socket.get(), source, a.size);
    } else {
        send_without_blocking(socket.get(), a.size);
    }
    if (a.what == job::put) {
        expect_success(read_head(socket.get()));
    } else {
        ::shutdown(socket.get(), SHUT_WR);
        char unused = 0;
        if (::recv(socket.get(), &unused, 1, 0) != 0) load::fail("the server did not keep it");
    }
    return a.size;
}

load::outcome move_all(const arguments& a) {
    const auto source = load::make_source();
    const auto bytes = load::sum_of_clients(a.clients, [&](std::size_t number) {
        switch (a.what) {
            case job::get: return get(a, number);
            case job::take: return take(a, number);
            default: return put(a, source, number);
        }
    });
    return {.bytes = bytes, .answers = a.clients};
}

/// Small files over connections that stay, one question at a time on each.
load::outcome ask_for_small(const arguments& a) {
    const sluice::unique_fd events{::epoll_create1(EPOLL_CLOEXEC)};
    struct kept {
        sluice::unique_fd socket;
        std::string got;
    };
    std::vector<kept> all(a.clients);
    std::uint64_t asked = 0;
    const auto ask = [&](kept& one) {
        send_text(one.socket.get(), "GET " + a.path + std::to_string(asked++ % a.files) +
                                        " HTTP/1.1\r\nHost: here\r\n\r\n");
        one.got.clear();
    };
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].socket = load::connect_to(a.port, i);
        epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
        if (::epoll_ctl(events.get(), EPOLL_CTL_ADD, all[i].socket.get(), &event) < 0) {
            load::fail_with_errno("epoll_ctl");
        }
        ask(all[i]);
    }
    load::outcome done;
    std::array<char, 65536> buffer{};
    std::array<epoll_event, 256> ready{};
    const auto end = load::clock_type::now() + load::seconds{a.seconds};
    while (load::clock_type::now() < end) {
        const int n = ::epoll_wait(events.get(), ready.data(), ready.size(), 1000);
        for (int i = 0; i < n; ++i) {
            kept& one = all[ready[static_cast<std::size_t>(i)].data.u64];
            const auto got = ::recv(one.socket.get(), buffer.data(), buffer.size(), 0);
            if (got <= 0) load::fail("the server closed a kept connection");
            one.got.append(buffer.data(), static_cast<std::size_t>(got));
            const auto head = one.got.find("\r\n\r\n");
            if (head == std::string::npos) continue;
            const std::string_view text{one.got.data(), head + 2};
            expect_success(text);
            if (one.got.size() < head + 4 + content_length(text)) continue;
            done.bytes += one.got.size() - head - 4;
            ++done.answers;
            ask(one);
        }
    }
    return done;
}

}  // namespace

int main(int argc, char** argv) {
    arguments a;
    CLI::App app{"Moves files to and from a server, and measures how fast.", "files_load"};
    load::add_jobs<job>(
        app, a.what,
        {{job::get, "get", "each client downloads PATH by HTTP"},
         {job::take, "take", "each client connects and reads to the end"},
         {job::put, "put", "each client uploads SIZE bytes to PATH0, PATH1 ... by HTTP"},
         {job::raw, "raw", "each client streams SIZE bytes and ends"},
         {job::small, "small",
          "each client downloads PATH0, PATH1 ... over one connection, for so many seconds"}});
    load::add_port(app, a.port);
    app.add_option("--path", a.path, "of the file, or what their paths begin with");
    load::add_number(app, "--clients", a.clients, 1, 10'000, "at a time");
    load::add_number(app, "--size", a.size, 1, largest, "bytes of each upload");
    load::add_number(app, "--files", a.files, 1, 1'000'000, "small ones there are");
    load::add_seconds(app, "--seconds", a.seconds, "for small files");
    app.add_option("--blocks", a.blocks,
                   "0: uploads are sent without blocking, a megabyte a call; else 256 KiB a call");
    load::add_server(app, a.server);
    CLI11_PARSE(app, argc, argv);
    load::measure(a.server, [&] { return a.what == job::small ? ask_for_small(a) : move_all(a); });
}
