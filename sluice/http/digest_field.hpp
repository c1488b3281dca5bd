// Repr-Digest and Want-Repr-Digest, as far as SHA-256 goes (RFC 9530).
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

/// 64 hexadecimal digits.
[[nodiscard]] std::string to_hex(const sha256_value& digest);
/// From 64 hexadecimal digits of either case; none if `text` is anything else.
[[nodiscard]] std::optional<sha256_value> sha256_from_hex(std::string_view text) noexcept;

/// The field's value: `sha-256=:BASE64:`.
[[nodiscard]] std::string format_repr_digest(const sha256_value& digest);

/// The SHA-256 that a Repr-Digest field tells. No value where it tells only others; an error, a
/// sentence without its full stop, where its sha-256 is none.
[[nodiscard]] std::expected<std::optional<sha256_value>, std::string_view> parse_repr_digest(
    std::string_view field) noexcept;

/// Whether a Want-Repr-Digest field asks for SHA-256, with a preference above 0, or says by one of
/// 0 that it is not to be sent. None where it says nothing of it.
[[nodiscard]] std::optional<bool> wants_sha256(std::string_view field) noexcept;

}  // namespace sluice::http
