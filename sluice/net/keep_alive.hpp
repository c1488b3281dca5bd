// TCP keepalive: how long a peer may be silently gone.
#pragma once

namespace sluice::net {

/// A peer that has silently gone is noticed within two minutes, and ends the connection with
/// ETIMEDOUT (tcp(7)). For a listening socket, whose connections inherit it, and for one that is
/// about to connect. No TCP_USER_TIMEOUT: it also ends connections whose peer is there and reads
/// nothing for that long (RFC 5482, section 4.2), which is for each service's own deadlines to
/// judge. Nothing on sockets that are not TCP.
void keep_alive(int socket) noexcept;

}  // namespace sluice::net
