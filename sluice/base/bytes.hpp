// Views of bytes, and the way between bytes and text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace sluice {

/// Bytes that somebody else owns and that are only read.
using const_bytes = std::span<const std::byte>;
/// Bytes that somebody else owns and that are filled in.
using mutable_bytes = std::span<std::byte>;

/// The same memory seen as bytes.
[[nodiscard]] inline const_bytes as_bytes(std::string_view text) noexcept {
    return std::as_bytes(std::span{text.data(), text.size()});
}

/// The same memory seen as text; says nothing of its encoding.
[[nodiscard]] inline std::string_view as_text(const_bytes bytes) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): char may alias any byte
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace sluice
