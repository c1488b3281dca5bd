// Parses a configuration file: sections, keys, and values with their line numbers.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

/// A `key = value` line.
struct config_entry {
    std::string section;  ///< `talk serve` for the keys below [talk.serve]; empty at the top
    std::string key;
    std::string value;
    std::size_t line = 0;  ///< counted from 1
};

/// Why a text is not a configuration: a sentence without its full stop, and the line.
struct config_mistake {
    std::size_t line = 0;
    std::string what;
};

/// Parses `text`. A line is empty, a comment (from # or ;), a section `[talk.serve]`, or
/// `key = value`. A value in double or single quotes may hold # and ; and spaces at its ends; there
/// are no escapes. A pure function.
[[nodiscard]] std::expected<std::vector<config_entry>, config_mistake> parse_config(
    std::string_view text);

/// The section that a line of a configuration opens, as in config_entry::section; none if it opens
/// none.
[[nodiscard]] std::optional<std::string> section_opened_by(std::string_view line);

}  // namespace sluice::cli
