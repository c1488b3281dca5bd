// The counters of a raw door, of an offer and of a compute service, for people and programs.
#pragma once

#include "sluice/compute/server/process_pool.hpp"
#include "sluice/compute/server/tally.hpp"
#include "sluice/files/server/offer.hpp"
#include "sluice/files/server/raw.hpp"

namespace sluice::cli {

/// Announce every counter (log.hpp).
void announce_counters(const files::raw_counters& c);
void announce_counters(const files::offer_counters& c);
void announce_counters(const compute::tally& c);
void announce_counters(const compute::process_counters& c);

}  // namespace sluice::cli
