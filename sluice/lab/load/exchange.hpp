// Request-reply load over many connections: echo and compute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/net/address.hpp"

namespace sluice::lab {

/// The engine of the load itself. io_uring is about a tenth cheaper per message; it carries closed
/// loops over kept connections whose answers are not checked, and epoll carries everything.
enum class load_engine : std::uint8_t { automatic, epoll, uring };

struct exchange_options {
    net::address where;
    std::string request;          ///< bytes of one request
    std::size_t answer_size = 0;  ///< bytes of one answer
    /// The expected answer, a line; another line is an error. Empty: answers are counted by their
    /// bytes and not checked.
    std::string answer;
    std::size_t connections = 64;
    std::size_t depth = 1;   ///< requests in flight per connection
    bool reconnect = false;  ///< a new connection per message
    /// Sleeps instead of polling. A load that shares its core with the server must; a load with its
    /// own core should poll, or the cost of waking it is charged to the server.
    bool sleeps = false;
    /// Messages per second over all connections; 0: a closed loop, as fast as answers come. With a
    /// rate each message is sent when it is due, regardless of earlier ones, and its latency counts
    /// from then: a server that stalls cannot hide it (no coordinated omission).
    double rate = 0;
    double warmup = 0.3;  ///< seconds before the measurement
    double measured = 1;  ///< seconds
    /// Seconds to wait after the measurement: for outstanding answers with a rate, else for the
    /// first.
    double timeout = 5;
    watched server;
    load_engine engine = load_engine::automatic;
};

/// Runs the load on the calling thread. The error is a sentence without its full stop.
[[nodiscard]] std::expected<outcome, load_failure> exchange(const exchange_options& o);

/// The answer of `where` to the line `request`, both with their newlines, to expect of every later
/// answer.
[[nodiscard]] std::expected<std::string, load_failure> learn_answer(const net::address& where,
                                                                    const std::string& request);

}  // namespace sluice::lab
