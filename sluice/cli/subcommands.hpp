// The functions that add a subcommand each, every one in a file of that name.
#pragma once

#include "sluice/cli/commands.hpp"

namespace sluice::cli {

void add_chat(commands& all);
/// `completions`: prints a script for a shell.
void add_completions(commands& all);
/// `config`: what a configuration says, and whether it is one.
void add_config(commands& all);
void add_compute(commands& all);
void add_doctor(commands& all);
void add_files(commands& all);
/// `help COMMAND`; knows every command that is in the tree when it runs.
void add_help(commands& all);
/// `serve`: chat, files and compute in one process.
void add_serve(commands& all);
void add_lab(commands& all);
/// `manual`, which no help names: writes the manual pages.
void add_manual(commands& all);
/// `passwd`: the accounts of a server, in a file.
void add_passwd(commands& all);
void add_talk(commands& all);
/// `token`: prints a token of an account.
void add_token(commands& all);
/// `top`: a view of a running server.
void add_top(commands& all);

/// Adds them all, in the order of the help.
inline void add_all(commands& all) {
    add_talk(all);
    add_chat(all);
    add_compute(all);
    add_files(all);
    add_serve(all);
    add_passwd(all);
    add_token(all);
    add_config(all);
    add_top(all);
    add_doctor(all);
    add_lab(all);
    add_completions(all);
    add_help(all);
    add_manual(all);
}

// Each adds a subcommand of the command in its name.

void add_chat_join(commands& all, CLI::App& chat);
void add_chat_serve(commands& all, CLI::App& chat);
void add_compute_ask(commands& all, CLI::App& compute);
void add_config_check(commands& all, CLI::App& config);
void add_config_show(commands& all, CLI::App& config);
void add_files_get(commands& all, CLI::App& files);
void add_files_offer(commands& all, CLI::App& files);
void add_files_put(commands& all, CLI::App& files);
void add_files_serve(commands& all, CLI::App& files);
void add_lab_compare(commands& all, CLI::App& lab);
/// `lab load`, with a subcommand per load.
void add_lab_load(commands& all, CLI::App& lab);

}  // namespace sluice::cli
