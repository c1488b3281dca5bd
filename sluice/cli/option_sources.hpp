// Takes option values from the environment and a configuration file where no flag gave them.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace sluice::cli {

/// The long flags of `command`, with their dashes.
[[nodiscard]] std::vector<std::string> flags_of(const CLI::App& command);

/// Sets each option of `command` that no flag has set: from `SLUICE_<FLAG>` (--max-clients is
/// SLUICE_MAX_CLIENTS; an empty variable counts as unset), else from the file that --config names,
/// if the command has that option. In the file the command's own section ([talk.serve]) beats an
/// outer one ([talk], the top), and of two equal lines the later wins. Settings of other commands
/// are ignored; a setting that no command knows is an error. The error is a sentence without its
/// full stop that names the variable, or the file and the line.
[[nodiscard]] std::expected<void, std::string> fill_in(CLI::App& root, CLI::App& command);

/// The value that the option --`flag` of the command last given to fill_in() would get now: from a
/// flag or the environment as it was then, else from the configuration file as it is now, else
/// none. Errors as fill_in().
[[nodiscard]] std::expected<std::optional<std::string>, std::string> value_now(
    std::string_view flag);

/// The flags of that command whose value in the configuration file has changed since fill_in(),
/// without those that a flag or the environment set. Errors as fill_in().
[[nodiscard]] std::expected<std::vector<std::string>, std::string> changed_settings();

}  // namespace sluice::cli
