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

    /// The whole name of the setting: `talk.serve.listen` for listen below [talk.serve].
    [[nodiscard]] std::string name() const;
};

/// A `[section]` line.
struct config_section {
    std::string section;  ///< as config_entry::section
    std::size_t line = 0;
};

/// Why a text is not a configuration: a sentence without its full stop, and the line.
struct config_mistake {
    std::size_t line = 0;
    std::string what;
};

/// All that a text says. What stands below a section that is none is left out.
struct config_text {
    std::vector<config_entry> entries;
    std::vector<config_section> sections;
    std::vector<config_mistake> mistakes;
};

/// Parses `text`. A line is empty, a comment (from # or ;), a section `[talk.serve]`, or
/// `key = value`. Words of a key may be joined by dots, as in chat.rate. A value in double or
/// single quotes may hold # and ; and spaces at its ends; there are no escapes. A pure function.
[[nodiscard]] config_text read_config(std::string_view text);

/// The same; of several mistakes, the first.
[[nodiscard]] std::expected<std::vector<config_entry>, config_mistake> parse_config(
    std::string_view text);

/// `value` as it stands behind the = of a setting, in quotes where it needs them; none for one that
/// cannot stand there.
[[nodiscard]] std::optional<std::string> config_value(std::string_view value);

/// The section that a line of a configuration opens, as in config_entry::section; none if it opens
/// none.
[[nodiscard]] std::optional<std::string> section_opened_by(std::string_view line);

}  // namespace sluice::cli
