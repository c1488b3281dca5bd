// Byte spans, and conversions between bytes and text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace sluice {

/// A read-only view of bytes; does not own them.
using const_bytes = std::span<const std::byte>;
/// A writable view of bytes; does not own them.
using mutable_bytes = std::span<std::byte>;

/// The same memory seen as bytes.
[[nodiscard]] inline const_bytes as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span{text.data(), text.size()});
}

/// The same memory seen as text, in any encoding.
[[nodiscard]] inline std::string_view as_text(const_bytes bytes) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): char may alias any byte
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sluice
