// Closes a connection first without losing what was sent on it.
#pragma once

#include <chrono>
#include <cstdint>

#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::net {

/// Limits of a lingering close. Once one is reached the connection is closed as it stands.
struct linger_limits {
    /// Without progress: the peer has acknowledged nothing more of what was sent, and has not ended
    /// its side. What it sends is no progress.
    io::duration idle = std::chrono::seconds{5};
    io::duration longest = std::chrono::seconds{60};
    std::uint64_t bytes = std::uint64_t{256} << 20;  ///< received and dropped
};

/// `co_await lingering_close(peer)`: ends the sending side, receives and drops what the peer still
/// sends until its end of stream, and closes. A close(2) with unread input, or input that comes
/// after it, makes the kernel send a reset, which overtakes or discards what the peer has not read
/// yet (RFC 9112, section 9.6). Nothing else reads from the connection meanwhile.
/// Cancelled, it closes at once. `patience` may end the wait for the peer's end earlier, but not
/// the wait for what was sent to be acknowledged.
[[nodiscard]] coro::task<void> lingering_close(connection& peer, coro::context& patience,
                                               linger_limits limits = {});

}  // namespace sluice::net
