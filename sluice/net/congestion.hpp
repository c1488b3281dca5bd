// Which congestion control a socket has where there is no network to be congested.
#pragma once

#include "sluice/net/address.hpp"

namespace sluice::net {

/// Takes a socket with an end at `here` from a congestion control that paces what it sends
/// (BBR) to Reno, if `here` is a loopback address; otherwise leaves it alone. On loopback nothing
/// is lost and nothing queues, but pacing still cuts what is sent into many small segments, which
/// cost several times the CPU. For a listening socket, whose connections inherit it, for one that
/// is about to connect, and for one that is connected (tcp(7), TCP_CONGESTION). What the kernel
/// refuses stays as it is: it is slower, not wrong.
void spare_pacing(int socket, const address& here) noexcept;

}  // namespace sluice::net
