// Where an option's value comes from if no flag gave it: the environment, then a configuration
// file.
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

/// Gives each option of `command` that no flag has set its value from `SLUICE_<FLAG>`
/// (--max-clients is SLUICE_MAX_CLIENTS; an empty variable counts as none), else from the file that
/// --config names, if the command has that option. In the file the section of the command
/// ([talk.serve]) beats one further out ([talk], the top), and of two equal lines the later wins.
/// Settings of other commands are passed over; what no command knows is a mistake. The error is a
/// sentence without its full stop, which names the variable, or the file and the line.
[[nodiscard]] std::expected<void, std::string> fill_in(CLI::App& root, CLI::App& command);

/// What the option --`flag` of the command that fill_in() filled in would be given now: what a flag
/// or the environment gave it then, else what the configuration file says now, else nothing. The
/// error is one of fill_in().
[[nodiscard]] std::expected<std::optional<std::string>, std::string> value_now(
    std::string_view flag);

/// The settings of that command of which the configuration file says something else now than when
/// it was filled in, by the names of their flags; not those that a flag or the environment gave.
/// The error is one of fill_in().
[[nodiscard]] std::expected<std::vector<std::string>, std::string> changed_settings();

}  // namespace sluice::cli
