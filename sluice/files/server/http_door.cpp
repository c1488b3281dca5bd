// Opens an exchange for each guest.
#include "sluice/files/server/http_door.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "sluice/base/shared_object.hpp"
#include "sluice/files/server/http_exchange.hpp"

namespace sluice::files {

http_door::http_door(store& files, http_options o)
    : store_{files}, options_{std::move(o)}, listings_{store_, options_.listing} {}

http_door::~http_door() = default;

const http_counters& http_door::counted() const noexcept {
    const auto& parts = store_.partials().counted();
    counters_->parts_waiting = parts.waiting.load();
    counters_->parts_expired = parts.expired.load();
    counters_->parts_crowded_out = parts.crowded_out.load();
    return *counters_;
}

model::service http_door::service() {
    // Shared by all processes that are forked, which have no thread for this (part_sweeper): once a
    // second at most, when a client comes.
    auto last = std::make_shared<shared_object<std::atomic<std::int64_t>>>();
    return [this, last](model::guest& client) {
        if (client.home().blocks()) {
            const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
            if ((*last)->exchange(now) != now) store_.partials().expire();
        }
        const auto number = counters_->clients.fetch_add(1, std::memory_order_relaxed) + 1;
        return http_exchange::serve(*this, client, number);
    };
}

}  // namespace sluice::files
