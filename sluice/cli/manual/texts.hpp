// The texts of commands, by the products that they belong to, and exit statuses that many share.
#pragma once

#include <vector>

#include "sluice/cli/manual/command_text.hpp"

namespace sluice::cli {

/// Of talk, chat and compute.
[[nodiscard]] std::vector<command_text> texts_of_lines();
/// Of files, `serve`, passwd and token.
[[nodiscard]] std::vector<command_text> texts_of_files();
/// Of the lab.
[[nodiscard]] std::vector<command_text> texts_of_lab();
/// Of the program itself, doctor, help and completions.
[[nodiscard]] std::vector<command_text> texts_of_program();

/// Of a command that does one thing and ends.
[[nodiscard]] std::vector<status_text> usual_statuses();
/// Of a server.
[[nodiscard]] std::vector<status_text> server_statuses();
/// Of a client.
[[nodiscard]] std::vector<status_text> client_statuses();

}  // namespace sluice::cli
