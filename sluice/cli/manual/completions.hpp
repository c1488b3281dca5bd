// Scripts with which shells complete command lines of sluice.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/manual/command_page.hpp"

namespace sluice::cli {

/// The pages to complete from: those of the tree, and behind `help` the words of every command.
[[nodiscard]] std::vector<command_page> completed_pages(const CLI::App& root);

/// The scripts; each holds all that it completes, and runs sluice for nothing.
[[nodiscard]] std::string bash_completion(std::span<const command_page> pages);
[[nodiscard]] std::string zsh_completion(std::span<const command_page> pages);
[[nodiscard]] std::string fish_completion(std::span<const command_page> pages);

/// A script of assets/ with `commands` in its place for them.
[[nodiscard]] std::string filled_in(std::string_view script, std::string_view commands);
/// What an option does, in a few words: without its default, and up to a semicolon.
[[nodiscard]] std::string in_short(const option_entry& option);
/// In single quotes, which all three shells end by a quote and take one in by '\''.
[[nodiscard]] std::string shell_quoted(std::string_view text);

}  // namespace sluice::cli
