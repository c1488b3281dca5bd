// Implements failure_limit: the last failures of each address, and its wait.
#include "sluice/auth/failure_limit.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

#include "sluice/net/client_network.hpp"

namespace sluice::auth {

std::string failure_key(const net::address& client) {
    const auto network = net::network_of(client);
    std::string key(sizeof network.bits + sizeof network.family, '\0');
    std::memcpy(key.data(), &network.bits, sizeof network.bits);
    std::memcpy(key.data() + sizeof network.bits, &network.family, sizeof network.family);
    return key;
}

failure_limit::duration failure_limit::wait_of(const std::string& address,
                                               time_point now) noexcept {
    const std::lock_guard lock{mutex_};
    const auto* const found = histories_.find(address);
    return found == nullptr ? duration{} : std::max(duration{}, found->wait_ends - now);
}

void failure_limit::add_failure(const std::string& address, time_point now) noexcept {
    const std::lock_guard lock{mutex_};
    history* found = histories_.find(address);
    if (found == nullptr) {
        try {
            found = &histories_.add(address, {});
        } catch (const std::bad_alloc&) {
            return;
        }
    }
    histories_.renew(address);
    if (found->wait > duration{} && now - found->wait_ends >= within) *found = {};
    // The oldest of the last five is overwritten by this one, the next oldest is the first of them.
    found->failures.at(found->counted % free_failures) = now;
    ++found->counted;
    if (found->wait > duration{}) {
        found->wait = std::min<duration>(2 * found->wait, longest_wait);
    } else {
        const time_point first = found->failures.at(found->counted % free_failures);
        if (found->counted < free_failures || now - first > within) return;
        found->wait = first_wait;
    }
    found->wait_ends = now + found->wait;
}

}  // namespace sluice::auth
