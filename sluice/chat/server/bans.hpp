// Defines bans: addresses and accounts that a chat lets in no more for a while.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/net/client_network.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::chat {

/// In memory: a server that starts again has none. Any thread.
class bans {
 public:
    using time_point = os::clock::time_point;

    /// At a time; the one that ends first makes room for another.
    static constexpr std::size_t most = 10'000;

    /// What is banned: an account, or a client's network with the address as text.
    struct entry {
        std::string what;
        std::optional<net::client_network> network = std::nullopt;
        time_point until = {};
    };

    /// In the place of one of the same `what`. Throws std::bad_alloc.
    void add(entry e, time_point now);
    /// False if there is none.
    bool lift(std::string_view what, time_point now);
    /// Until when a client of that network, or with that account, is banned; none if it is not.
    [[nodiscard]] std::optional<time_point> of(const net::client_network& network,
                                               std::string_view account, time_point now);
    /// All, in the order of their ends, `most_shown` at most. Throws std::bad_alloc.
    [[nodiscard]] std::vector<entry> all(std::size_t most_shown, time_point now);

 private:
    void forget_past(time_point now) noexcept;

    os::mutex mutex_;
    std::vector<entry> entries_;  // in the order of their ends; guarded by mutex_
};

}  // namespace sluice::chat
