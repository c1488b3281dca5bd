// Asks and is answered, over many connections at a time: echo and compute.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/net/address.hpp"

namespace sluice::lab {

/// How the load itself waits. io_uring is about a tenth cheaper a message; it carries closed loops
/// over kept connections whose answers are not looked at, and epoll everything.
enum class load_engine : std::uint8_t { automatic, epoll, uring };

struct exchange_options {
    net::address where;
    std::string request;          ///< one message, as it is sent
    std::size_t answer_size = 0;  ///< bytes of one answer
    /// What an answer must be, where it is a line; another line is an error. Empty: answers are
    /// counted by their bytes and not looked at.
    std::string answer;
    std::size_t connections = 64;
    std::size_t depth = 1;   ///< messages under way on each connection
    bool reconnect = false;  ///< a connection for each message
    /// Waits where it could look again and again. A load that shares its core with the server must;
    /// one that has its own had better not, or the server is measured by the price of waking it.
    bool sleeps = false;
    /// Messages a second over all connections; 0: a closed loop, as fast as answers come. With a
    /// rate each message is sent when it is due, whatever became of those before it, and its
    /// latency counts from then: a server that stalls cannot hide it (no coordinated omission).
    double rate = 0;
    double warmup = 0.3;  ///< seconds before what counts
    double measured = 1;  ///< seconds
    /// Seconds beyond those that answers are waited for: the last of a rate, or else the first.
    double patience = 5;
    watched server;
    load_engine engine = load_engine::automatic;
};

/// Runs it on the calling thread. The error is a sentence without its full stop.
[[nodiscard]] std::expected<outcome, std::string> exchange(const exchange_options& o);

/// The line that `where` answers to the line `request`, both with their ends: what to expect of
/// every later answer.
[[nodiscard]] std::expected<std::string, std::string> learn_answer(const net::address& where,
                                                                   const std::string& request);

}  // namespace sluice::lab
