// Lingering close: closes a connection without losing sent data.
#pragma once

#include <chrono>
#include <cstdint>

#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::net {

/// Limits of a lingering close. At the first of them the connection is closed as it is.
struct linger_limits {
    /// Without progress: the peer has acknowledged no more of the sent data, and has not ended its
    /// side. Its own data is no progress.
    io::duration idle = std::chrono::seconds{5};
    io::duration longest = std::chrono::seconds{60};
    std::uint64_t bytes = std::uint64_t{256} << 20;  ///< received and dropped
};

/// `co_await lingering_close(peer, drain)`: ends the sending side, receives and drops data until
/// the peer's end of stream, and closes. A close(2) with unread input, or input that comes after
/// it, makes the kernel send a reset, which overtakes or discards data that the peer has not read
/// yet (RFC 9112, section 9.6). No other coroutine reads from the connection meanwhile. Cancelled,
/// it closes at once. `drain` may end the wait for the peer's end earlier, but not the wait for the
/// acknowledgement of sent data.
[[nodiscard]] coro::task<void> lingering_close(connection& peer, coro::context& drain,
                                               linger_limits limits = {});

}  // namespace sluice::net
