// Counts connections by address in one table under a lock.
#include "sluice/model/address_limit.hpp"

#include <algorithm>
#include <mutex>
#include <new>

namespace sluice::model {
namespace {

constexpr std::uint32_t share = 4;   // of max_clients, for one address
constexpr double burst_seconds = 4;  // of connections that may come at once
// Accounts below which nothing is swept.
constexpr std::size_t few_accounts = 256;

std::uint32_t most_of(const address_limit::limits& l) noexcept {
    return l.most > 0 ? l.most : std::max(1U, l.max_clients / share);
}

io::throttle::pace pace_of(const address_limit::limits& l) noexcept {
    const double rate = l.rate > 0 ? l.rate : address_limit::usual_rate;
    return {rate, burst_seconds * rate};
}

}  // namespace

address_limit::address_limit(limits l) noexcept
    : counts_loopback_{l.most > 0},
      paces_loopback_{l.rate > 0},
      most_{most_of(l)},
      pace_{pace_of(l)},
      next_sweep_{few_accounts} {}

void address_limit::set(limits l) noexcept {
    counts_loopback_.set(l.most > 0);
    paces_loopback_.set(l.rate > 0);
    const std::lock_guard lock{mutex_};
    most_ = most_of(l);
    pace_ = pace_of(l);
}

std::optional<address_limit::permit> address_limit::admit(const net::address& peer) noexcept {
    const bool is_counted = counts_loopback_ || !peer.is_loopback();
    const bool is_paced = paces_loopback_ || !peer.is_loopback();
    if (!is_counted && !is_paced) return permit{};
    const auto now = io::clock::now();
    const std::lock_guard lock{mutex_};
    try {
        if (accounts_.size() >= next_sweep_) forget_rested(now);
        auto& found = *accounts_.try_emplace(net::network_of(peer)).first;
        auto& [held, coming] = found.second;
        const bool too_many = is_counted && held >= most_;
        const bool too_fast = is_paced && coming.wait(pace_, now) > io::duration{};
        if (!too_many && !too_fast) {
            if (is_paced) coming.charge(pace_, now);
            ++held;
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

void address_limit::release(table::value_type& held) noexcept {
    const auto now = io::clock::now();
    const std::lock_guard lock{mutex_};
    auto& [count, coming] = held.second;
    if (--count == 0 && coming.is_rested(now)) accounts_.erase(net::client_network{held.first});
}

// Linear, but only when there are twice as many accounts as the last time left.
void address_limit::forget_rested(io::time_point now) noexcept {
    std::erase_if(accounts_, [now](const auto& each) {
        return each.second.held == 0 && each.second.coming.is_rested(now);
    });
    next_sweep_ = std::max(few_accounts, 2 * accounts_.size());
}

}  // namespace sluice::model
