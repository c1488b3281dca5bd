// Percent-encoding of paths (RFC 3986, section 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

/// Decoded once: `%25` gives a percent sign and nothing more. None where a percent sign is not
/// followed by two hexadecimal digits. Says nothing of what the bytes are: NUL, slashes and dots
/// may come out.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// `text` as a path in a URL: slashes stay, and what is no letter, digit or one of `-._~` is
/// encoded.
[[nodiscard]] std::string percent_encode_path(std::string_view text);
/// The same without slashes: one name in a path, or a value in a parameter of a field (RFC 8187).
[[nodiscard]] std::string percent_encode_name(std::string_view text);

}  // namespace sluice::http
