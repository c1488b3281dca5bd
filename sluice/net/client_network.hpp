// The part of an address that tells clients apart.
#pragma once

#include <compare>
#include <cstdint>

#include "sluice/net/address.hpp"

namespace sluice::net {

/// An IPv4 address, also one that is mapped into IPv6, or the network of an IPv6 address: its first
/// 64 bits, of which a client may have any address (RFC 4291, section 2.5.4).
struct client_network {
    std::uint64_t bits = 0;  ///< in network byte order
    bool is_v4 = false;

    friend auto operator<=>(const client_network&, const client_network&) noexcept = default;
};

/// Of a Unix socket, and of none: the default value.
[[nodiscard]] client_network network_of(const address& client) noexcept;

}  // namespace sluice::net
