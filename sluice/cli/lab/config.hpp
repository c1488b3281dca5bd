// Puts a setting into a configuration file, and leaves the rest of it as it is.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace sluice::cli {

/// `text` with `key = value` in the section of `command` ("files serve"): in the place of the last
/// line that sets it there, else at the end of the section, else in a new one. Pure.
[[nodiscard]] std::string with_setting(std::string_view text, std::string_view command,
                                       std::string_view key, std::string_view value);

/// The same in a file, which is made if there is none, and replaced in one step. The error is a
/// sentence without its full stop; a file that is no configuration is one.
[[nodiscard]] std::expected<void, std::string> write_setting(const std::string& path,
                                                             std::string_view command,
                                                             std::string_view key,
                                                             std::string_view value);

}  // namespace sluice::cli
