// Strings of JSON: untrusted text in quotes.
#pragma once

#include <string>
#include <string_view>

namespace sluice::wire {

/// Appends `text` in quotes (RFC 8259, section 7). Invalid UTF-8 becomes U+FFFD; what a terminal
/// may take for a command (is_printable()) is written as `\u001b`.
void append_json_string(std::string& out, std::string_view text);
/// `json`, valid UTF-8, with such escapes in its strings; the ends of its lines stay.
[[nodiscard]] std::string printable_json(std::string json);

}  // namespace sluice::wire
