// Limits the connections at a time from one client address.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>

#include "sluice/net/address.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::model {

/// A semaphore per client address: an IPv4 address, or the /64 of an IPv6 address, the prefix of
/// one host or site (RFC 6177). IPv4-mapped addresses count as IPv4. Any thread.
class address_limit {
    struct host {
        std::uint64_t bits = 0;
        bool is_v4 = false;
        friend bool operator==(const host&, const host&) = default;
    };
    struct hash {
        [[nodiscard]] std::size_t operator()(const host& h) const noexcept {
            return std::hash<std::uint64_t>{}(h.bits) ^ std::size_t{h.is_v4};
        }
    };
    using table = std::unordered_map<host, std::uint32_t, hash>;

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

    /// `most` connections per address, loopback included. 0: loopback is not limited, since proxies
    /// and load generators connect from there, and any other address may have a quarter of
    /// `max_clients`, so that no single host can take all of them.
    address_limit(std::uint32_t most, std::uint32_t max_clients) noexcept;

    /// For a connected socket: a permit, or nullopt where its address has none left or there is no
    /// memory to count it.
    [[nodiscard]] std::optional<permit> admit(int socket) noexcept;
    [[nodiscard]] std::optional<permit> admit(const net::address& peer) noexcept;
    /// Connections that were refused.
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
    [[nodiscard]] static host host_of(const net::address& peer) noexcept;
    void release(table::value_type& held) noexcept;

    bool counts_loopback_;
    std::uint32_t most_;
    std::atomic<std::uint64_t> refused_ = 0;
    os::mutex mutex_;
    table taken_;
};

}  // namespace sluice::model
