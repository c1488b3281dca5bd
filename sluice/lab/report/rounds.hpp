// Says of a case how many of its rounds were disturbed, and what became of them.
#pragma once

#include <string>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A sentence; empty where no round was disturbed.
[[nodiscard]] std::string told_rounds(const round_count& of);

}  // namespace sluice::lab
