// Implements network_of() over socket addresses.
#include "sluice/net/client_network.hpp"

#include <netinet/in.h>

#include <cstring>

namespace sluice::net {

client_network network_of(const address& client) noexcept {
    if (client.is_unix()) return {.bits = client.user(), .family = AF_UNIX};
    if (client.family() == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, client.data(), sizeof v4);
        return {.bits = v4.sin_addr.s_addr, .family = AF_INET};
    }
    if (client.family() != AF_INET6) return {};
    sockaddr_in6 v6{};
    std::memcpy(&v6, client.data(), sizeof v6);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        constexpr std::size_t prefix = 12;
        std::uint32_t bits = 0;
        std::memcpy(&bits, &v6.sin6_addr.s6_addr[prefix], sizeof bits);
        return {.bits = bits, .family = AF_INET};
    }
    client_network found{.family = AF_INET6};
    std::memcpy(&found.bits, &v6.sin6_addr, sizeof found.bits);
    return found;
}

}  // namespace sluice::net
