// The counters of a chat in words, or for programs.
#pragma once

#include "sluice/cli/log.hpp"
#include "sluice/service/chat/limits.hpp"

namespace sluice::cli {

/// Announces every counter (log.hpp).
void announce_counters(const service::chat::counters& c);

}  // namespace sluice::cli
