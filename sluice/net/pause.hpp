// How long a peer's silence has to last to end a message, on a connection with its round trips.
#pragma once

#include "sluice/io/timer.hpp"
#include "sluice/wire/framing.hpp"

namespace sluice::net {

/// The kernel's smoothed estimate (tcp(7), TCP_INFO); 0 where `fd` is no TCP socket.
[[nodiscard]] io::duration round_trip(int fd) noexcept;

/// When the pause that `awaited` names is over, counted from now; io::never for none. Asks for the
/// round trip of `fd` for pause::first alone.
[[nodiscard]] io::time_point end_of_pause(wire::pause awaited, int fd) noexcept;

}  // namespace sluice::net
