// `sluice files put`: uploads files.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `put` below `files`.
void add_files_put(commands& all, CLI::App& files);

}  // namespace sluice::cli
