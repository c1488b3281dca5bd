// The options --framing and --max-line, for commands that read messages.
#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>

#include "sluice/wire/framing.hpp"

namespace sluice::cli {

/// Adds --framing, or `flag` instead of it. `into` must outlive the parsing.
void add_framing_option(CLI::App& command, wire::framing& into,
                        const std::string& flag = "--framing");
/// Adds --max-line, or `flag`, 1 byte to 1 GiB; the help calls it "Longest `what`, in bytes", with
/// the default that `into` holds. `into` must outlive the parsing.
void add_max_line_option(CLI::App& command, std::size_t& into, const std::string& what,
                         const std::string& flag = "--max-line");

}  // namespace sluice::cli
