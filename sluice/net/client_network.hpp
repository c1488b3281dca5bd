// The part of an address that tells clients apart.
#pragma once

#include <sys/socket.h>

#include <compare>
#include <cstdint>

#include "sluice/net/address.hpp"

namespace sluice::net {

/// An IPv4 address, also one that is mapped into IPv6; the network of an IPv6 address: its first 64
/// bits, of which a client may have any address (RFC 4291, section 2.5.4); or the user at the other
/// end of a Unix socket.
struct client_network {
    std::uint64_t bits = 0;  ///< in network byte order; of a Unix socket the user
    sa_family_t family = AF_UNSPEC;

    friend auto operator<=>(const client_network&, const client_network&) noexcept = default;
};

/// Of no address: the default value.
[[nodiscard]] client_network network_of(const address& client) noexcept;

}  // namespace sluice::net
