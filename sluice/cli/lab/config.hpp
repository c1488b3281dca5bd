// Writes a setting into a configuration file and leaves the rest of the file unchanged.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace sluice::cli {

/// `text` with `key = value` in the section of `command` ("files serve"): replaces the last line
/// that sets it there, else appends to the section, else to a new section. Pure.
[[nodiscard]] std::string with_setting(std::string_view text, std::string_view command,
                                       std::string_view key, std::string_view value);

/// The same for a file: created if missing, replaced in one step (rename(2)). The error is a
/// sentence without its full stop; a file that is no configuration is an error.
[[nodiscard]] std::expected<void, std::string> write_setting(const std::string& path,
                                                             std::string_view command,
                                                             std::string_view key,
                                                             std::string_view value);

}  // namespace sluice::cli
