// `sluice lab load`.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `load` below `lab`: each load by itself, as the lab runs it.
void add_lab_load(commands& all, CLI::App& lab);

}  // namespace sluice::cli
