// Limits the connections of one client address: how many at a time, and how many a second.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

#include "sluice/base/live_setting.hpp"
#include "sluice/io/throttle.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/client_network.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::model {

/// A semaphore and a token bucket per client address, which is a net::client_network. Any thread.
class address_limit {
    struct hash {
        [[nodiscard]] std::size_t operator()(const net::client_network& n) const noexcept {
            return std::hash<std::uint64_t>{}(n.bits) ^ std::size_t{n.family};
        }
    };
    struct account {
        std::uint32_t held = 0;  // permits
        io::throttle coming;
    };
    using table = std::unordered_map<net::client_network, account, hash>;

 public:
    /// One connection's permit, returned by its destructor. Empty for a connection that is not
    /// counted. Lives no longer than its address_limit.
    class permit {
     public:
        permit() noexcept = default;
        permit(permit&& other) noexcept
            : owner_{std::exchange(other.owner_, nullptr)}, held_{other.held_} {}
        permit& operator=(permit&& other) noexcept {
            std::swap(owner_, other.owner_);
            std::swap(held_, other.held_);
            return *this;
        }
        permit(const permit&) = delete;
        permit& operator=(const permit&) = delete;
        ~permit() {
            if (owner_ != nullptr) owner_->release(*held_);
        }

     private:
        friend class address_limit;
        permit(address_limit& owner, table::value_type& held) noexcept
            : owner_{&owner}, held_{&held} {}
        address_limit* owner_ = nullptr;
        table::value_type* held_ = nullptr;
    };

    struct limits {
        /// Connections per address, loopback included. 0: loopback is not limited, since proxies
        /// and load generators connect from there, and any other address may have a quarter of
        /// `max_clients`, so that no single host can take all of them.
        std::uint32_t most = 0;
        /// New connections per second and address, and four times as many at once; loopback
        /// included. 0: loopback is not limited, and any other address has usual_rate.
        std::uint32_t rate = 0;
        std::uint32_t max_clients = 10'000;
    };
    static constexpr std::uint32_t usual_rate = 500;

    explicit address_limit(limits l) noexcept;
    /// Other limits from now on; connections that have come stay.
    void set(limits l) noexcept;

    /// For a connection: a permit, or nullopt where its address has none left, comes too often, or
    /// there is no memory to count it.
    [[nodiscard]] std::optional<permit> admit(const net::address& peer) noexcept;
    /// Connections that were refused.
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
    void release(table::value_type& held) noexcept;
    void forget_rested(io::time_point now) noexcept;

    live_setting<bool> counts_loopback_;
    live_setting<bool> paces_loopback_;
    std::atomic<std::uint64_t> refused_ = 0;
    os::mutex mutex_;
    std::uint32_t most_;
    io::throttle::pace pace_;
    table accounts_;
    std::size_t next_sweep_;  // at so many accounts
};

}  // namespace sluice::model
