// Congestion control of loopback sockets: no pacing.
#pragma once

#include "sluice/net/address.hpp"

namespace sluice::net {

/// Switches a socket with an end at `local_or_peer` from a congestion control that paces (BBR) to
/// Reno if that is a loopback address; otherwise leaves it alone. On loopback no segment is lost
/// and none queues, but pacing still cuts the data into many small segments, which cost several
/// times the CPU. For a listening socket, whose connections inherit it, for one that is about to
/// connect, and for one that is connected (tcp(7), TCP_CONGESTION). Ignores errors: the socket is
/// then slower, not wrong.
void avoid_pacing_on_loopback(int socket, const address& local_or_peer) noexcept;

}  // namespace sluice::net
