// A chat's members: some speak, all listen, and every delivery is counted.
#pragma once

#include <cstddef>
#include <expected>
#include <string>

#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/usage.hpp"
#include "sluice/net/address.hpp"

namespace sluice::lab {

struct chat_options {
    net::address where;
    std::size_t senders = 4;
    std::size_t members = 90;  ///< who listen, beside the senders
    std::size_t size = 64;     ///< bytes of a message's text, 32 or more
    std::size_t window = 256;  ///< messages sent and not delivered to all; one a sender at least
    /// Messages a second, each timed from when it was due to when a member had it; 0: as many as
    /// are delivered, within the window.
    double rate = 0;
    double warmup = 0.3;  ///< seconds before what counts
    double measured = 1;  ///< seconds
    /// Waits where it could look again and again, as it must on a core that it shares.
    bool sleeps = false;
    watched server = {};
};

/// Joins, speaks, listens; `amount` is deliveries. Without a rate, what is delivered is discarded
/// inside the kernel and counted by its bytes, so that the load costs less than the server. Runs on
/// the calling thread; the error is a sentence without its full stop.
[[nodiscard]] std::expected<outcome, std::string> chat(const chat_options& o);

}  // namespace sluice::lab
