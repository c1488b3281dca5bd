// Percent-encoding of paths and names (RFC 3986, section 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

/// Decodes once: `%25` gives a percent sign. None where a percent sign is not followed by two
/// hexadecimal digits. The result may hold any byte: NUL, slashes, dots.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

/// `text` as a path in a URL: slashes stay; every other byte that is not a letter, a digit or one
/// of `-._~` is encoded.
[[nodiscard]] std::string percent_encode_path(std::string_view text);
/// The same with slashes encoded: for a name in a path, or a parameter value of a field (RFC 8187).
[[nodiscard]] std::string percent_encode_name(std::string_view text);

}  // namespace sluice::http
