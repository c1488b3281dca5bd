// The counters of a raw door, of an offer and of a compute service, for people and programs.
#pragma once

#include "sluice/service/compute/process_pool.hpp"
#include "sluice/service/compute/tally.hpp"
#include "sluice/service/files/offer.hpp"
#include "sluice/service/files/raw.hpp"

namespace sluice::cli {

/// Announce every counter (log.hpp).
void announce_counters(const service::files::raw_counters& c);
void announce_counters(const service::files::offer_counters& c);
void announce_counters(const service::tally& c);
void announce_counters(const service::process_counters& c);

}  // namespace sluice::cli
