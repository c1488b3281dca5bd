// Opens an exchange for each guest.
#include "sluice/service/files/http_door.hpp"

#include <utility>

#include "sluice/service/files/http_exchange.hpp"

namespace sluice::service::files {

http_door::http_door(store& files, http_options o) : store_{files}, options_{std::move(o)} {}

http_door::~http_door() = default;

model::service http_door::service() {
    return [this](model::guest& client) {
        const auto number = counters_->clients.fetch_add(1, std::memory_order_relaxed) + 1;
        return http_exchange::serve(*this, client, number);
    };
}

}  // namespace sluice::service::files
