// Parses the header of the PROXY protocol, versions 1 and 2, in which a proxy names its client.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/base/bytes.hpp"

namespace sluice::wire {

/// What the first bytes of a connection are.
enum class proxy_header_state : std::uint8_t {
    absent,      ///< no header: the bytes are the client's own
    incomplete,  ///< the beginning of a header, or of something else (`is_certain`)
    complete,
    malformed,
    too_long,  ///< beyond longest_proxy_header
};

/// Whose connection a complete header announces.
enum class proxy_source : std::uint8_t {
    proxy,  ///< the proxy's own, as a health check's (LOCAL), or of a client that it cannot name
    ipv4,
    ipv6,
};

/// The client that a proxy announces (HAProxy's proxy-protocol.txt, sections 2.1 and 2.2).
struct proxy_header {
    proxy_header_state state = proxy_header_state::absent;
    /// The signature has come: the bytes are those of no client.
    bool is_certain = false;
    /// Complete: the bytes of the header. Incomplete: as many must have come to know more; the
    /// connection may end before.
    std::size_t size = 0;
    proxy_source source = proxy_source::proxy;
    std::array<std::byte, 16> host{};  ///< four bytes of IPv4, or all of IPv6; network byte order
    std::uint16_t port = 0;
};

/// Bytes of a header of version 1, with its CR LF.
inline constexpr std::size_t longest_proxy_line = 107;
/// The same of version 2, which could have 64 KiB of fields that say more about a client.
inline constexpr std::size_t longest_proxy_header = 4096;

/// The header that a connection begins with. `begin`: its first bytes, up to longest_proxy_header
/// of them are looked at. Fields after the addresses (TLV) are skipped.
[[nodiscard]] proxy_header read_proxy_header(const_bytes begin) noexcept;

}  // namespace sluice::wire
