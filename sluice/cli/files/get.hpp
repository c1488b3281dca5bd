// `sluice files get`: downloads a file.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `get` below `files`.
void add_files_get(commands& all, CLI::App& files);

}  // namespace sluice::cli
