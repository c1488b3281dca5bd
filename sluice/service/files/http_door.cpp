// Opens an exchange for each guest.
#include "sluice/service/files/http_door.hpp"

#include <utility>

#include "sluice/service/files/http_exchange.hpp"

namespace sluice::service::files {
namespace {

// More at a time would only share the disk and the cores.
constexpr unsigned disk_workers = 2;
constexpr std::size_t most_waiting = 100'000;

}  // namespace

http_door::http_door(store& files, http_options o) : store_{files}, options_{std::move(o)} {}

http_door::~http_door() = default;

model::service http_door::service() {
    return [this](model::guest& client) {
        const auto number = counters_->clients.fetch_add(1, std::memory_order_relaxed) + 1;
        return http_exchange::serve(*this, client, number);
    };
}

io::offload_pool& http_door::disk() {
    const std::lock_guard lock{mutex_};
    if (!disk_) {
        disk_ = std::make_unique<io::offload_pool>(
            io::offload_pool::options{.workers = disk_workers, .queue = most_waiting});
    }
    return *disk_;
}

}  // namespace sluice::service::files
