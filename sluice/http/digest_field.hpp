// SHA-256 in Repr-Digest and Want-Repr-Digest fields (RFC 9530).
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace sluice::http {

/// The 32 bytes of a SHA-256.
using sha256_value = std::array<std::byte, 32>;

/// 44 characters, the padding included (RFC 4648, section 4).
[[nodiscard]] std::string to_base64(const sha256_value& digest);
/// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const sha256_value& digest);
/// Parses 64 hexadecimal digits of either case; none for any other text.
[[nodiscard]] std::optional<sha256_value> sha256_from_hex(std::string_view text) noexcept;

/// The field's value: `sha-256=:BASE64:`.
[[nodiscard]] std::string format_repr_digest(const sha256_value& digest);

/// The SHA-256 in a Repr-Digest field; no value if it has only other algorithms. The error, for a
/// malformed sha-256 member, is a sentence without its full stop.
[[nodiscard]] std::expected<std::optional<sha256_value>, std::string_view> parse_repr_digest(
    std::string_view field) noexcept;

/// Whether a Want-Repr-Digest field asks for SHA-256: true for a preference above 0, false for 0 or
/// a malformed one. None if it does not name SHA-256.
[[nodiscard]] std::optional<bool> wants_sha256(std::string_view field) noexcept;

}  // namespace sluice::http
