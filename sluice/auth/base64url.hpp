// Base64 for URLs and file names, without padding (RFC 4648, section 5).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/bytes.hpp"

namespace sluice::auth {

/// Characters of `A-Za-z0-9-_`, four for each three bytes. Throws std::bad_alloc.
[[nodiscard]] std::string to_base64url(const_bytes data);

/// The bytes that to_base64url() makes this text of; none for any other text, padding and unused
/// bits that are set (section 3.5) included: two texts never stand for the same bytes. Throws
/// std::bad_alloc.
[[nodiscard]] std::optional<std::vector<std::byte>> from_base64url(std::string_view text);

}  // namespace sluice::auth
