// What an HTTP door has counted, for people and programs.
#pragma once

#include "sluice/cli/log.hpp"
#include "sluice/files/server/http_door.hpp"

namespace sluice::cli {

/// Announces every counter (log.hpp).
void announce_counters(const files::http_counters& c);

}  // namespace sluice::cli
