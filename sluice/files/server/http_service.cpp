// Implements the HTTP file service: serves each connection, and expires partial uploads.
#include "sluice/files/server/http_service.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "sluice/files/server/http_exchange.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/host_name.hpp"
#include "sluice/os/shared_object.hpp"
#include "sluice/transfer/send_choice.hpp"

namespace sluice::files {

http_service::http_service(store& files, http_options o)
    : store_{files},
      options_{std::move(o)},
      origins_{options_.hosts, options_.pages, os::host_name()},
      listings_{store_, options_.listing} {}

http_service::~http_service() = default;

const http_counters& http_service::counted() const noexcept {
    const auto& parts = store_.partials().counted();
    counters_->parts_waiting = parts.waiting.load();
    counters_->parts_expired = parts.expired.load();
    counters_->parts_crowded_out = parts.crowded_out.load();
    return *counters_;
}

model::service http_service::service() {
    // Processes that are forked from now on share what they measure.
    static_cast<void>(transfer::send_costs_of(transfer::peer_kind::loopback));
    // Shared by the forked processes, which have no thread for this (part_sweeper): they expire
    // parts when a client connects, at most once per second.
    auto last = std::make_shared<shared_object<std::atomic<std::int64_t>>>();
    return [this, last](model::session& client) {
        if (client.engine().blocks()) {
            const auto now = std::chrono::system_clock::to_time_t(os::wall_clock_now());
            if ((*last)->exchange(now) != now) store_.partials().expire();
        }
        const auto number = counters_->clients.fetch_add(1, std::memory_order_relaxed) + 1;
        return http_exchange::serve(*this, client, number);
    };
}

}  // namespace sluice::files
