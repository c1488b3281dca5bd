// Endpoint: a host and a port of the simulated network, IPv4 and IPv6 alike.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>

namespace sluice::sim {

/// An IPv4 address stands as a mapped one (RFC 4291, section 2.5.5.2).
struct endpoint {
    std::array<std::uint8_t, 16> host{};
    std::uint16_t port = 0;

    /// Empty if it is neither AF_INET nor AF_INET6, or too short.
    [[nodiscard]] static std::optional<endpoint> from(const sockaddr* address,
                                                      socklen_t size) noexcept {
        endpoint made;
        if (size >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
            sockaddr_in v4{};
            std::memcpy(&v4, address, sizeof v4);
            made.host[10] = made.host[11] = 0xff;
            std::memcpy(&made.host[12], &v4.sin_addr, sizeof v4.sin_addr);
            made.port = ntohs(v4.sin_port);
            return made;
        }
        if (size >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
            sockaddr_in6 v6{};
            std::memcpy(&v6, address, sizeof v6);
            std::memcpy(made.host.data(), &v6.sin6_addr, made.host.size());
            made.port = ntohs(v6.sin6_port);
            return made;
        }
        return {};
    }
    /// Writes it as a socket of `family` shows it (getsockname(2)), cut to `size`, which becomes
    /// the whole length.
    void show(int family, sockaddr* into, socklen_t& size) const noexcept {
        if (family == AF_INET) {
            sockaddr_in v4{};
            v4.sin_family = AF_INET;
            v4.sin_port = htons(port);
            std::memcpy(&v4.sin_addr, &host[12], sizeof v4.sin_addr);
            copy(&v4, sizeof v4, into, size);
        } else {
            sockaddr_in6 v6{};
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port);
            std::memcpy(&v6.sin6_addr, host.data(), host.size());
            copy(&v6, sizeof v6, into, size);
        }
    }
    [[nodiscard]] bool is_v4() const noexcept {
        return host[10] == 0xff && host[11] == 0xff &&
               std::all_of(host.begin(), host.begin() + 10, [](auto b) { return b == 0; });
    }
    /// True for 0.0.0.0 and ::.
    [[nodiscard]] bool is_any() const noexcept {
        const auto* const first = host.begin() + (is_v4() ? 12 : 0);
        return std::all_of(first, host.end(), [](auto b) { return b == 0; });
    }
    /// True if a socket bound to this one gets what is sent to `to`.
    [[nodiscard]] bool receives(const endpoint& to, bool v6_only) const noexcept {
        if (port != to.port) return false;
        if (!is_any()) return host == to.host;
        return is_v4() == to.is_v4() || (!is_v4() && !v6_only);
    }

    friend bool operator==(const endpoint&, const endpoint&) = default;

 private:
    static void copy(const void* address, socklen_t length, sockaddr* into,
                     socklen_t& size) noexcept {
        std::memcpy(into, address, std::min(size, length));
        size = length;
    }
};

}  // namespace sluice::sim
