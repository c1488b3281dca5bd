// Counts connections by address in one table under a lock.
#include "sluice/model/address_limit.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

namespace sluice::model {
namespace {

constexpr std::uint32_t share = 4;  // of max_clients, for one address

}  // namespace

address_limit::address_limit(std::uint32_t most, std::uint32_t max_clients) noexcept
    : counts_loopback_{most > 0}, most_{most > 0 ? most : std::max(1U, max_clients / share)} {}

std::optional<address_limit::permit> address_limit::admit(int socket) noexcept {
    const auto peer = net::address::peer_of(socket);
    // A connection that is gone already, or of another family, has no address to count.
    if (!peer) return permit{};
    return admit(*peer);
}

std::optional<address_limit::permit> address_limit::admit(const net::address& peer) noexcept {
    if (!counts_loopback_ && peer.is_loopback()) return permit{};
    const std::lock_guard lock{mutex_};
    try {
        auto& found = *taken_.try_emplace(host_of(peer), 0).first;
        if (found.second < most_) {
            ++found.second;
            return permit{*this, found};
        }
    } catch (const std::bad_alloc&) {
        // Refused, like a connection over the limit.
        ++refused_;
        return std::nullopt;
    }
    ++refused_;
    return std::nullopt;
}

address_limit::host address_limit::host_of(const net::address& peer) noexcept {
    if (peer.family() == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, peer.data(), sizeof v4);
        return {.bits = v4.sin_addr.s_addr, .is_v4 = true};
    }
    sockaddr_in6 v6{};
    std::memcpy(&v6, peer.data(), std::min<std::size_t>(sizeof v6, peer.size()));
    host found;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        constexpr std::size_t prefix = 12;
        std::uint32_t bits = 0;
        std::memcpy(&bits, &v6.sin6_addr.s6_addr[prefix], sizeof bits);
        return {.bits = bits, .is_v4 = true};
    }
    std::memcpy(&found.bits, &v6.sin6_addr, sizeof found.bits);
    return found;
}

void address_limit::release(table::value_type& held) noexcept {
    const std::lock_guard lock{mutex_};
    if (--held.second == 0) taken_.erase(host{held.first});
}

}  // namespace sluice::model
