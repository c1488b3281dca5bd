// What one run of the echo load is asked to do, and the ways to do it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace load {

enum class echo_engine : std::uint8_t { uring, epoll };

struct echo_options {
    std::uint16_t port = 0;
    std::size_t connections = 64;
    std::size_t size = 64;  ///< bytes of a message
    std::size_t depth = 1;  ///< messages under way on each connection
    double measured = 2;    ///< seconds
    double warmup = 0.5;    ///< seconds before these
    pid_t server = 0;       ///< whose CPU time is reported; 0 for none
    echo_engine engine = echo_engine::uring;
};

/// Runs closed loops and prints one line of JSON: messages a second, CPU time of both sides, and
/// how many messages the load found at once, which tells whose queue was the longer one.
void measure_echo(const echo_options& options);

/// Sends a pattern for `measured` seconds, checks every byte that comes back, ends each connection
/// by shutdown(2) and expects the rest of the echo and then the end. Fails at the first difference.
void verify_echo(const echo_options& options);

/// Exchanges one message on each connection, prints one line of JSON, and keeps all of them idle
/// until stdin ends.
void hold_echo(const echo_options& options);

}  // namespace load
