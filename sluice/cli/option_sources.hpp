// Takes option values from the environment and a configuration file where no flag gave them.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/config.hpp"

namespace sluice::cli {

class commands;

/// The long flags of `command`, with their dashes.
[[nodiscard]] std::vector<std::string> flags_of(const CLI::App& command);

/// An option with a long flag, and where its value comes from.
struct setting {
    enum class origin : std::uint8_t { standard, file, environment, flag };

    std::string name;  ///< of its flags the most exact: `chat.rate`, `files.http`
    CLI::Option* option = nullptr;
    std::vector<std::string> values = {};  ///< as they were written; none by default
    origin from = origin::standard;
    /// `FILE:LINE`, `SLUICE_RATE`, `--rate`; empty by default.
    std::string source = {};
};

/// The options of a command.
struct settings {
    std::string file;  ///< the configuration; empty: none
    std::vector<setting> all = {};
};

/// The configuration that is read where --config names none: the first that exists of
/// $XDG_CONFIG_HOME/sluice/sluice.conf (~/.config/sluice/sluice.conf) and
/// /etc/sluice/sluice.conf.
[[nodiscard]] std::optional<std::string> usual_configuration();
/// The variable that sets an option: SLUICE_MAX_CLIENTS for max-clients, SLUICE_CHAT_RATE for
/// chat.rate.
[[nodiscard]] std::string variable_for(std::string_view flag);
/// As a value of --config, or empty: no file is read.
constexpr std::string_view no_configuration = "none";

/// Sets each option of `command` that no flag has set: from `SLUICE_<FLAG>` (--max-clients is
/// SLUICE_MAX_CLIENTS, --chat.rate SLUICE_CHAT_RATE; an empty variable counts as unset), else from
/// the file of --config, else from `usual`, if the command has that option.
///
/// In the file the name of a setting is the words of the command and the flag, joined by dots:
/// talk.serve.listen; a section is the beginning of such names. Words of the command may be left
/// out at the end, and a setting that names more of them beats one that names less: so [talk] is
/// for all commands below talk, the top for all, and [chat] for the part of `serve` whose flags
/// begin with --chat, and for each further one of its kind. Of two equal names the later wins,
/// where the option takes one value. Settings of other commands are ignored; one that no command
/// knows is an error. The error is a sentence without its full stop that names the variable, or the
/// file and the line.
[[nodiscard]] std::expected<settings, std::string> fill_in(commands& all, CLI::App& command,
                                                           const std::optional<std::string>& usual);

/// All mistakes of a configuration, for all commands that read it, by lines.
[[nodiscard]] std::vector<config_mistake> mistakes_of(commands& all, std::string_view text);

/// The names of the settings in `now` that have other values than in `before`, or came, or are
/// gone.
[[nodiscard]] std::vector<std::string> changed_settings(const settings& before,
                                                        const settings& now);

}  // namespace sluice::cli
