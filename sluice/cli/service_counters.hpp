// Announces the counters of each service, and what sending files has cost.
#pragma once

#include <string_view>

#include "sluice/chat/server/limits.hpp"
#include "sluice/compute/server/counters.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/offer.hpp"
#include "sluice/files/server/raw_service.hpp"

namespace sluice::cli {

/// Announce every counter (log.hpp), of what is called `of`.
void announce_counters(const chat::counters& c, std::string_view of = "chat");
void announce_counters(const files::http_counters& c, std::string_view of = "files over HTTP");
void announce_counters(const files::raw_counters& c, std::string_view of = "raw files");
void announce_counters(const files::offer_counters& c);
void announce_counters(const compute::compute_counters& c, std::string_view of = "compute");
void announce_counters(const compute::process_counters& c, std::string_view of = "programs");

/// Announces what the ways to send files have cost, and which of them `auto` takes: one block of
/// counters per kind of peer that was sent enough to be measured; none before.
void announce_send_costs();

}  // namespace sluice::cli
