// The options --framing and --max-line, for commands that read messages.
#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>

#include "sluice/wire/framing.hpp"

namespace sluice::cli {

/// Adds --framing. `into` must outlive the parsing.
void add_framing_option(CLI::App& command, wire::framing& into);
/// Adds --max-line, 1 byte to 1 GiB; the help calls it "Longest `what`, in bytes", with the default
/// that `into` holds. `into` must outlive the parsing.
void add_max_line_option(CLI::App& command, std::size_t& into, const std::string& what);

}  // namespace sluice::cli
