// `sluice lab compare`: compares two reports of the lab.
#pragma once

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds the command `compare` to `lab`.
void add_lab_compare(commands& all, CLI::App& lab);

}  // namespace sluice::cli
