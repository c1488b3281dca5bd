// Implements the draw of the disk's fault rates, with the bound of each.
#include "sluice/sim/disk_faults.hpp"

namespace sluice::sim {

disk_faults disk_faults::draw(random& from) noexcept {
    const auto one = [&from](double bound) noexcept { return from.rate_up_to(bound, 1e-3); };
    // The members in their order; an initializer list is evaluated from left to right.
    return {
        .short_write = one(0.5),
        .short_read = one(0.5),
        .no_space = one(0.1),
        .over_quota = one(0.1),
        .failed_read = one(0.05),
        .failed_write = one(0.05),
        .failed_sync = one(0.2),
        .slow_sync = one(0.5),
        .false_free_space = one(0.2),
        .foreign_change = 0,
    };
}

}  // namespace sluice::sim
