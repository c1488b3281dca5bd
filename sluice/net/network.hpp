// IP networks, and whether an address is in one of them.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/net/address.hpp"

namespace sluice::net {

/// The IPv4 or IPv6 addresses that begin with the same bits, or all Unix sockets. An IPv4-mapped
/// IPv6 address is the IPv4 address that it is.
class network {
 public:
    /// Parses `10.0.0.0/8`, `fd00::/8`, an address alone: a network of one, or `unix`. Bits behind
    /// the first `/8` do not matter. fault::bad_address, also for a name; why_no_network() explains
    /// it.
    [[nodiscard]] static result<network> parse(std::string_view text);

    /// Whether the host of `where` is in it.
    [[nodiscard]] bool covers(const address& where) const noexcept;

 private:
    network() = default;
    std::array<unsigned char, 16> host_{};  // IPv4: the first four
    bool is_v4_ = false;
    bool is_unix_ = false;
    unsigned bits_ = 0;
};

/// The reason why `text` is no network, as a sentence without its full stop; empty if it is one.
[[nodiscard]] std::string why_no_network(std::string_view text);

/// Whether one of `all` covers `where`.
[[nodiscard]] bool covers(const std::vector<network>& all, const address& where) noexcept;

/// Parses the address of a host, with or without a port: `192.0.2.1`, `192.0.2.1:80`,
/// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`. Resolves no names, and knows no Unix
/// sockets. fault::bad_address.
[[nodiscard]] result<address> parse_host(std::string_view text);

}  // namespace sluice::net
