// Formats and parses HTTP dates (RFC 9110, section 5.6.7).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

/// `Sun, 06 Nov 1994 08:49:37 GMT` (IMF-fixdate). Years from 0 to 9999.
[[nodiscard]] std::string format_http_date(std::chrono::sys_seconds when);

/// Parses that form and the two obsolete ones. None if `text` is not a date.
[[nodiscard]] std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

}  // namespace sluice::http
