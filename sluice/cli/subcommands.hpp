// The functions that add a subcommand each, every one in a file of that name.
#pragma once

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

void add_chat(commands& all);
void add_compute(commands& all);
void add_doctor(commands& all);
void add_files(commands& all);
/// `help COMMAND`; knows every command that is in the tree when it runs.
void add_help(commands& all);
/// `serve`: chat, files and compute in one process.
void add_serve(commands& all);
void add_lab(commands& all);
void add_talk(commands& all);

}  // namespace sluice::cli
