// What every load is made of: sockets that connect, the time that counts, what went wrong.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

#include "sluice/base/fd.hpp"
#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/net/address.hpp"

namespace sluice::lab {

using load_clock = std::chrono::steady_clock;
using time_point = load_clock::time_point;

[[nodiscard]] inline double in_seconds(load_clock::duration d) noexcept {
    return std::chrono::duration<double>(d).count();
}
[[nodiscard]] inline load_clock::duration seconds_of(double seconds) noexcept {
    return std::chrono::duration_cast<load_clock::duration>(std::chrono::duration<double>(seconds));
}

/// What ends a load, thrown within it and caught where it was begun. Its text is a sentence without
/// its full stop.
class trouble : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};
[[noreturn]] void give_up(const std::string& what);
/// The same with the reason that an errno names.
[[noreturn]] void give_up(const std::string& what, int code);

/// Connects to one address, again and again. On this machine every 4,000 connections come from
/// another 127.0.0.x, so that neither the ephemeral ports nor what lingers in TIME_WAIT run out.
class dialer {
 public:
    explicit dialer(const net::address& where);

    /// A non-blocking socket with TCP_NODELAY that is connected, or about to be. Throws trouble.
    [[nodiscard]] unique_fd dial();
    /// The same, connected; it stays blocking.
    [[nodiscard]] unique_fd dial_and_wait();

 private:
    [[nodiscard]] unique_fd open(int flags);
    [[noreturn]] void refuse(int code) const;

    net::address where_;
    bool here_;
    std::uint32_t dialled_ = 0;
};

/// To look for work and find none takes less; whoever took longer was kept from its core.
inline constexpr auto longest_look = std::chrono::microseconds{5};

/// An epoll set of sockets, each with a number.
class readiness {
 public:
    readiness();
    /// Edge-triggered, for both directions.
    void add(int fd, std::size_t number);
    /// What is ready now, or in `patience` at most; negative: waits for as long as it takes.
    [[nodiscard]] std::span<const epoll_event> wait(load_clock::duration patience);

 private:
    unique_fd epoll_;
    std::array<epoll_event, 512> events_{};
};
[[nodiscard]] constexpr bool is_readable(const epoll_event& e) noexcept {
    return (e.events & ~std::uint32_t{EPOLLOUT}) != 0;
}

/// Empties a socket, whatever it holds, without copying a byte (MSG_TRUNC, tcp(7)): how many bytes
/// that were; 0 at the end of the stream; -errno.
[[nodiscard]] long discard(int socket) noexcept;

/// The part of a run that counts: reads all clocks where it begins and where it ends.
class window {
 public:
    explicit window(const watched& server);
    /// Writes what has passed since into `o`.
    void close(outcome& o) const;
    [[nodiscard]] time_point begun() const noexcept { return begun_; }

 private:
    watched server_;
    usage server_before_;
    usage load_before_;
    time_point begun_;
};

}  // namespace sluice::lab
