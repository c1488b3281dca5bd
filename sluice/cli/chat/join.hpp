// `sluice chat join`: the chat client.
#pragma once

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

/// Adds `join` to the command `chat`.
void add_chat_join(commands& all, CLI::App& chat);

}  // namespace sluice::cli
