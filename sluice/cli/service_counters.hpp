// Collects the counters of each service, and what sending files has cost, for metrics and lists.
#pragma once

#include "sluice/chat/server/chat_service.hpp"
#include "sluice/compute/server/counters.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/offer.hpp"
#include "sluice/files/server/raw_service.hpp"
#include "sluice/metrics/collection.hpp"

namespace sluice::cli {

/// Add every counter. Any thread.
void collect(metrics::collection& to, const chat::chat_service& c);
void collect(metrics::collection& to, const files::http_counters& c);
void collect(metrics::collection& to, const files::raw_counters& c);
void collect(metrics::collection& to, const files::offer_counters& c);
void collect(metrics::collection& to, const compute::compute_counters& c);
void collect(metrics::collection& to, const compute::process_counters& c);

/// Adds what the ways to send files have cost, and which of them `auto` takes: a group per kind of
/// peer that was sent enough to be measured; none before. Any thread.
void collect_send_costs(metrics::collection& to);

/// Announces those that have a name for people (log.hpp): a table per title, each value as the sum
/// over the groups of that title.
void announce_counters(const metrics::collection& all);

}  // namespace sluice::cli
