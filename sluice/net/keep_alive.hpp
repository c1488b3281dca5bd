// TCP keepalive: detects a peer that is silently gone.
#pragma once

namespace sluice::net {

/// A peer that is silently gone is noticed within two minutes, which ends the connection with
/// ETIMEDOUT (tcp(7)). For a listening socket, whose connections inherit it, and for one that is
/// about to connect. No TCP_USER_TIMEOUT: it also ends connections whose peer is present and reads
/// nothing for that long (RFC 5482, section 4.2), which each service's own deadlines decide. No
/// effect on sockets that are not TCP.
void keep_alive(int socket) noexcept;

}  // namespace sluice::net
