// `sluice lab compare`: what changed from one run to another.
#pragma once

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Hangs `compare` below `lab`.
void add_lab_compare(commands& all, CLI::App& lab);

}  // namespace sluice::cli
