// The page that --help prints.
#pragma once

#include <cstddef>
#include <string>

#include <CLI/CLI.hpp>

namespace sluice::cli {

/// The page of `command`, with no line longer than `columns` but for a word that is.
[[nodiscard]] std::string help_page(const CLI::App& command, std::size_t columns);

/// How wide a page may be on `fd`: COLUMNS in the environment, else the terminal's width, else 80;
/// 40 at least, and 120 at most, beyond which lines are hard to read.
[[nodiscard]] std::size_t columns_of(int fd);

}  // namespace sluice::cli
