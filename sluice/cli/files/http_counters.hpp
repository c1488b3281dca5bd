// Announces the counters of an HTTP file service.
#pragma once

#include "sluice/cli/log.hpp"
#include "sluice/files/server/http_service.hpp"

namespace sluice::cli {

/// Announces every counter (log.hpp).
void announce_counters(const files::http_counters& c);

}  // namespace sluice::cli
