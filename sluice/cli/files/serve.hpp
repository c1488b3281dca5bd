// `sluice files serve`: serves a directory over HTTP and plain streams.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `serve` below `files`.
void add_files_serve(commands& all, CLI::App& files);

}  // namespace sluice::cli
