// The counters of a chat in words, or for programs.
#pragma once

#include "sluice/cli/log.hpp"
#include "sluice/service/chat/limits.hpp"

namespace sluice::cli {

/// Writes them to stderr: a line each, or one object of JSON.
void announce_counters(const service::chat::counters& c, log_format format);

}  // namespace sluice::cli
