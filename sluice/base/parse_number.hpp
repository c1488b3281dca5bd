// Numbers in text.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace sluice {

/// The number that all of `text` is, in decimal; none for other text (blanks and a plus included),
/// or beyond its type. An unsigned type takes digits alone.
template <class Number = std::uint64_t>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text) noexcept {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [at, code] = std::from_chars(text.data(), end, value);
    if (code != std::errc{} || at != end) return std::nullopt;
    return value;
}

}  // namespace sluice
