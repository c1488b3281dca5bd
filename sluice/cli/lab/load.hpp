// `sluice lab load`: runs a single load by hand.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds the command `load` to `lab`, with a subcommand per load.
void add_lab_load(commands& all, CLI::App& lab);

}  // namespace sluice::cli
