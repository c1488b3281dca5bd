// Text from strangers: whether it is UTF-8, and how to show it without handing them the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::wire {

/// Whether all of `text` is UTF-8 (RFC 3629): nothing overlong, no surrogates, nothing above
/// U+10FFFF, nothing cut off.
[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// Appends `text` with U+FFFD for what is not UTF-8: one for each maximal subpart, as the Unicode
/// Standard recommends (section 3.9, "U+FFFD Substitution of Maximal Subparts") and browsers do.
void append_valid_utf8(std::string& out, std::string_view text);
/// The same as a new string.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view text);

/// The longest beginning of `text` of at most `max_bytes` that cuts no character in two. Bytes that
/// are not UTF-8 may be cut anywhere.
[[nodiscard]] std::string_view truncate_utf8(std::string_view text, std::size_t max_bytes) noexcept;

/// `text` without the newline at its end, or the carriage return and the newline.
[[nodiscard]] std::string_view without_line_end(std::string_view text) noexcept;

/// Whether a terminal may be given `text` as it is: UTF-8 without control characters (C0 but the
/// tab, DEL, C1), without line and paragraph separators (U+2028, U+2029), and without what turns
/// the direction of the text around it (U+202A to U+202E, U+2066 to U+2069).
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

/// Appends `text` as a terminal may show it: what is_printable() refuses is written out, as `\x1b`
/// where it is a byte (a control of ASCII, or not UTF-8) and as `\u202e` where it is a character
/// beyond; all else stays. A newline is written out too: give it lines.
/// For eyes, not for programs: a backslash stays one, so `\x1b` that somebody typed looks the same.
void append_printable(std::string& out, std::string_view text);
/// The same as a new string.
[[nodiscard]] std::string printable(std::string_view text);
/// The same without a copy where none is needed: `text` itself, or else a view of `scratch`, whose
/// content is replaced.
[[nodiscard]] std::string_view printable(std::string_view text, std::string& scratch);

}  // namespace sluice::wire
