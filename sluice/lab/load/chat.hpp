// Chat load: senders and members of one room; counts every delivery.
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
    std::size_t members = 90;  ///< members that only receive
    std::size_t size = 64;     ///< bytes per message text, at least 32
    /// Messages not yet delivered to all; at least one per sender.
    std::size_t window = 256;
    /// Messages per second, each timed from when it was due to its delivery; 0: as many as are
    /// delivered, within the window.
    double rate = 0;
    double warmup = 0.3;  ///< seconds before the measurement
    double measured = 1;  ///< seconds
    /// Sleeps instead of polling, as a load on a shared core must.
    bool sleeps = false;
    watched server = {};
};

/// Joins all clients, sends and receives; `amount` is deliveries. Without a rate the kernel
/// discards deliveries and the load counts their bytes, so that it costs less than the server. Runs
/// on the calling thread; the error is a sentence without its full stop.
[[nodiscard]] std::expected<outcome, load_failure> chat(const chat_options& o);

}  // namespace sluice::lab
