// What every load program needs: sockets that connect, clients on threads, what was measured as
// JSON.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sluice/os/fd.hpp"

namespace load {

using clock_type = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

/// Prints `what` on stderr and exits with status 1.
[[noreturn]] void fail(const std::string& what);
/// The same with the reason that errno names.
[[noreturn]] void fail_with_errno(const std::string& what);

/// Lets this process open as many files as its hard limit allows (getrlimit(2)).
void raise_open_files();

/// Seconds of CPU that a process has used: all its threads, user and system, to about one tick of
/// the kernel (clock_getcpuclockid(3)). 0 names this process, as below.
[[nodiscard]] double cpu_seconds(pid_t process);

/// Seconds the first thread of a process stood ready but had no core: what other work took from it
/// (/proc/PID/schedstat, proc(5)). 0 where the kernel does not count them.
[[nodiscard]] double waited_seconds(pid_t process);

/// A blocking socket connected to 127.0.0.1:`port`, with TCP_NODELAY. Every 4,000 connections come
/// from another 127.0.0.x, so that neither the ephemeral ports nor what lingers in TIME_WAIT from
/// the run before can run out. Fails if it cannot connect.
[[nodiscard]] sluice::unique_fd connect_to(std::uint16_t port, std::size_t index);

/// What uploads are made of, 256 KiB: small enough to stay in the cache of the processor, so that
/// sending costs less than receiving.
[[nodiscard]] std::vector<std::uint32_t> make_source();

/// Drops what a socket receives up to the end of the stream, without copying it (tcp(7),
/// MSG_TRUNC): how many bytes that was. Fails on an error.
[[nodiscard]] std::uint64_t drop_to_end(int socket);

/// Runs `job` for each of the clients 0, 1 ... on a thread of its own: the sum of what they return.
[[nodiscard]] std::uint64_t sum_of_clients(std::size_t clients,
                                           const std::function<std::uint64_t(std::size_t)>& job);

/// What a load has moved, and how often it was answered.
struct outcome {
    std::uint64_t bytes = 0;
    std::uint64_t answers = 0;
};

/// Runs `job` and says in JSON on stdout what came of it, how many seconds it took, and the seconds
/// of CPU that this process and the process `server` used meanwhile. 0 names no server.
void measure(pid_t server, const std::function<outcome()>& job);

}  // namespace load
