// The functions that add a subcommand each; every one stands in a file of its own name.
#pragma once

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

void add_chat(commands& all);
void add_compute(commands& all);
void add_doctor(commands& all);
void add_files(commands& all);
/// `help COMMAND`; finds whatever else is in the tree when it runs.
void add_help(commands& all);
/// `serve`: chat, files and compute in one process.
void add_serve(commands& all);
void add_lab(commands& all);
void add_talk(commands& all);

}  // namespace sluice::cli
