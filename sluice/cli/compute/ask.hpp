// `sluice compute ask`: sends questions to a compute server.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `ask` below `compute`.
void add_compute_ask(commands& all, CLI::App& compute);

}  // namespace sluice::cli
