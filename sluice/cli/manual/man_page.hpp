// The manual pages: sluice(1), one for each command, and sluice.conf(5).
#pragma once

#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/manual/command_page.hpp"

namespace sluice::cli {

/// A file of the manual.
struct man_file {
    std::string name;  ///< `sluice-chat-serve.1`
    std::string text;  ///< in the macros of man(7)
};

/// All pages of the program with that tree.
[[nodiscard]] std::vector<man_file> all_man_pages(const CLI::App& root);

/// `sluice-chat-serve`, the name of the page of a command.
[[nodiscard]] std::string man_name(const command_page& page);

/// sluice.conf(5), with the keys of all commands in `pages` that read a configuration.
[[nodiscard]] std::string config_man_page(std::span<const command_page> pages);
/// The configuration that it shows.
[[nodiscard]] std::string_view example_config() noexcept;

}  // namespace sluice::cli
