// Defines the parts of every load: client sockets, readiness, the measured window, errors. The
// loads make their system calls and read their clock directly, not through os::kernel: what they
// measure must not pay for it.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <utility>

#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::lab {

using load_clock = std::chrono::steady_clock;
using time_point = load_clock::time_point;

[[nodiscard]] inline double in_seconds(load_clock::duration d) noexcept {
    return std::chrono::duration<double>(d).count();
}
[[nodiscard]] inline load_clock::duration seconds_of(double seconds) noexcept {
    return std::chrono::duration_cast<load_clock::duration>(std::chrono::duration<double>(seconds));
}

/// An error that ends a load; thrown and caught inside the load's file.
class load_error : public std::exception {
 public:
    explicit load_error(load_failure why) : why_{std::move(why)} {}
    [[nodiscard]] const char* what() const noexcept override { return why_.what.c_str(); }
    [[nodiscard]] const load_failure& why() const noexcept { return why_; }

 private:
    load_failure why_;
};
[[noreturn]] void give_up(std::string what);
/// The same, with the text of an errno.
[[noreturn]] void give_up(const std::string& what, int code);
/// Gives up because the server could not be reached, or went away.
[[noreturn]] void lose_server(std::string what);
[[noreturn]] void lose_server(const std::string& what, int code);

/// Connects to one address repeatedly. On loopback every 4,000 connections use another source
/// address 127.0.0.x, so that neither ephemeral ports nor sockets in TIME_WAIT exhaust the ports.
class dialer {
 public:
    explicit dialer(const net::address& address);

    /// A non-blocking socket with TCP_NODELAY, connected or connecting. Throws load_error.
    [[nodiscard]] unique_fd dial();
    /// The same, connected and blocking.
    [[nodiscard]] unique_fd dial_and_wait();

 private:
    [[nodiscard]] unique_fd open(int flags);
    [[noreturn]] void refuse(int code) const;

    net::address address_;
    bool is_loopback_;
    std::uint32_t dialled_ = 0;
};

/// The most idle time that a poll without events counts: a longer poll waited for its core.
inline constexpr auto longest_look = std::chrono::microseconds{5};

/// An epoll set of sockets, each identified by a number.
class readiness {
 public:
    readiness();
    /// Adds a socket, edge-triggered, for both directions.
    void add(int fd, std::size_t number);
    /// The sockets ready within `timeout`; a negative timeout waits without a limit.
    [[nodiscard]] std::span<const epoll_event> wait(load_clock::duration timeout);

 private:
    unique_fd epoll_;
    std::array<epoll_event, 512> events_{};
};
[[nodiscard]] constexpr bool is_readable(const epoll_event& e) noexcept {
    return (e.events & ~std::uint32_t{EPOLLOUT}) != 0;
}

/// Discards all bytes in the socket without copying them (MSG_TRUNC, tcp(7)): bytes discarded, 0 at
/// the end of the stream, or -errno.
[[nodiscard]] long discard(int socket) noexcept;

/// The measured part of a run: reads all clocks at its beginning and its end.
class window {
 public:
    explicit window(const watched& server);
    /// Writes the time and usage since construction into `o`.
    void close(outcome& o) const;
    [[nodiscard]] time_point begun() const noexcept { return begun_; }

 private:
    watched server_;
    usage server_before_;
    usage load_before_;
    time_point begun_;
};

}  // namespace sluice::lab
