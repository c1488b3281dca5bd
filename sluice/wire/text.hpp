// UTF-8 validation, and escaping of untrusted text for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sluice::wire {

/// Whether all of `text` is UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above
/// U+10FFFF, no truncated character.
[[nodiscard]] bool is_valid_utf8(std::string_view text) noexcept;

/// Appends `text` with U+FFFD for each maximal subpart that is not UTF-8, as the Unicode Standard
/// recommends (section 3.9, "U+FFFD Substitution of Maximal Subparts") and browsers do.
void append_valid_utf8(std::string& out, std::string_view text);
/// The same as a new string.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view text);

/// The longest prefix of `text` of at most `max_bytes` that splits no character. Bytes that are not
/// UTF-8 may be cut anywhere.
[[nodiscard]] std::string_view truncate_utf8(std::string_view text, std::size_t max_bytes) noexcept;

/// `text` without the LF or CR LF at its end.
[[nodiscard]] std::string_view without_line_end(std::string_view text) noexcept;

/// Whether `text` is safe on a terminal as it is: UTF-8 without control characters (C0 except the
/// tab, DEL, C1), line and paragraph separators (U+2028, U+2029) and bidirectional controls (U+202A
/// to U+202E, U+2066 to U+2069).
[[nodiscard]] bool is_printable(std::string_view text) noexcept;

/// Appends `text` with all that is_printable() refuses escaped: `\x1b` for a byte (an ASCII
/// control, or not UTF-8), `\u202e` for a character beyond ASCII. Escapes newlines too: pass single
/// lines. Not reversible: a backslash stays as it is, so a typed `\x1b` looks the same.
void append_printable(std::string& out, std::string_view text);
/// The same as a new string.
[[nodiscard]] std::string printable(std::string_view text);
/// The same without a copy where none is needed: returns `text` itself, or a view of `scratch`,
/// whose content it replaces.
[[nodiscard]] std::string_view printable(std::string_view text, std::string& scratch);

/// Text of a user, a file or a peer for a message: printable(), between quotes, with dots for what
/// is beyond `most` bytes of it.
[[nodiscard]] std::string in_quotes(std::string_view text, std::size_t most = 80);

}  // namespace sluice::wire
