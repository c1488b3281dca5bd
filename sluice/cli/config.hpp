// Reads a configuration file: sections, keys and values, with the line each stands on.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cli {

/// One `key = value` of a file.
struct config_entry {
    std::string section;  ///< `talk serve` for what stands below [talk.serve]; empty at the top
    std::string key;
    std::string value;
    std::size_t line = 0;  ///< counted from 1
};

/// Why a text is no configuration: a sentence without its full stop, and where.
struct config_mistake {
    std::size_t line = 0;
    std::string what;
};

/// Reads `text`. A line is empty, a comment (from # or ;), a section `[talk.serve]`, or
/// `key = value`; a value in double or single quotes may hold # and ; and spaces at its ends, and
/// knows no escapes. Pure: the same text gives the same answer.
[[nodiscard]] std::expected<std::vector<config_entry>, config_mistake> parse_config(
    std::string_view text);

}  // namespace sluice::cli
