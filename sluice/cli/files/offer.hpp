// `sluice files offer`: sends one file to every client.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `offer` below `files`.
void add_files_offer(commands& all, CLI::App& files);

}  // namespace sluice::cli
