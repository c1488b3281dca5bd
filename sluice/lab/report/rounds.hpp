// Describes how many rounds of a case were disturbed, dropped and repeated.
#pragma once

#include <string>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// Sentences; empty if no round was disturbed.
[[nodiscard]] std::string told_rounds(const round_count& of);

}  // namespace sluice::lab
