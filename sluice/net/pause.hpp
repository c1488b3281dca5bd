// Length of a peer's pause that ends a message, given the round trip of the connection.
#pragma once

#include "sluice/io/timer.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::net {

/// The kernel's smoothed round-trip time (tcp(7), TCP_INFO); 0 if `fd` is no TCP socket.
[[nodiscard]] io::duration round_trip(int fd) noexcept;

/// The end of the pause `awaited`, counted from now; io::never for none. Queries the round trip of
/// `fd` for pause::first alone.
[[nodiscard]] io::time_point end_of_pause(wire::pause awaited, int fd) noexcept;

}  // namespace sluice::net
