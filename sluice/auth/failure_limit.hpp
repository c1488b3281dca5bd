// Slows down guessing: an address whose attempts fail has to wait before the next.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

#include "sluice/auth/bounded_map.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::auth {

/// What tells a client's network from others (net::network_of()), for failure_limit. Throws
/// std::bad_alloc.
[[nodiscard]] std::string failure_key(const net::address& client);

/// Counts failed attempts per address. The fifth within a minute makes the address wait for a
/// second, and each one after that twice as long, up to a minute; a minute after the last wait all
/// is forgiven. A success forgives nothing: else an owner of one account could guess at others
/// between two of them. Any thread.
///
/// An attempt asks wait_of() where it is verified, in the job and not before it was queued:
/// attempts that were queued at once are refused then as soon as enough of them have failed.
class failure_limit {
 public:
    using time_point = os::clock::time_point;
    using duration = os::clock::duration;

    static constexpr std::size_t free_failures = 5;
    static constexpr std::chrono::minutes within{1};
    static constexpr std::chrono::seconds first_wait{1};
    static constexpr std::chrono::seconds longest_wait{60};
    /// Addresses that are remembered; the one whose last failure is the oldest is forgotten first.
    static constexpr std::size_t most = 65'536;

    /// How long attempts of this address are refused from now on; zero: it may try. `address` is a
    /// failure_key().
    [[nodiscard]] duration wait_of(const std::string& address, time_point now) noexcept;
    /// Counts an attempt that failed. Without memory it is not counted.
    void add_failure(const std::string& address, time_point now) noexcept;

 private:
    struct history {
        std::array<time_point, free_failures> failures{};  // a ring
        std::size_t counted = 0;                           // since it began
        time_point wait_ends{};
        duration wait{};  // the last one; zero: none yet
    };

    os::mutex mutex_;
    bounded_map<std::string, history> histories_{most};  // guarded by mutex_
};

}  // namespace sluice::auth
