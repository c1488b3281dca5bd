// Announces the counters of raw file, offer and compute services.
#pragma once

#include "sluice/compute/server/counters.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/files/server/offer.hpp"
#include "sluice/files/server/raw_service.hpp"

namespace sluice::cli {

/// Announce every counter (log.hpp).
void announce_counters(const files::raw_counters& c);
void announce_counters(const files::offer_counters& c);
void announce_counters(const compute::compute_counters& c);
void announce_counters(const compute::process_counters& c);

}  // namespace sluice::cli
