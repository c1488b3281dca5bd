// `sluice chat serve`: the chat server.
#pragma once

#include <CLI/CLI.hpp>

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `serve` below `chat`.
void add_chat_serve(commands& all, CLI::App& chat);

}  // namespace sluice::cli
