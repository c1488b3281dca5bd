// Announces the counters of a chat.
#pragma once

#include "sluice/chat/server/limits.hpp"
#include "sluice/cli/log.hpp"

namespace sluice::cli {

/// Announces every counter (log.hpp).
void announce_counters(const chat::counters& c);

}  // namespace sluice::cli
