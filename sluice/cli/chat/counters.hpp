// The counters of a chat in words, or for programs.
#pragma once

#include "sluice/chat/server/limits.hpp"
#include "sluice/cli/log.hpp"

namespace sluice::cli {

/// Announces every counter (log.hpp).
void announce_counters(const chat::counters& c);

}  // namespace sluice::cli
