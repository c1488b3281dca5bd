// Lexical helpers for HTTP fields: blanks, case, tokens, digits, lists.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::http {

/// `text` without spaces and tabs at both ends (RFC 9110, section 5.6.3, OWS).
[[nodiscard]] constexpr std::string_view trim_blanks(std::string_view text) noexcept {
    const auto from = text.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

[[nodiscard]] constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The value of a hexadecimal digit of either case; none for another character.
[[nodiscard]] constexpr std::optional<unsigned> hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    c = lower(c);
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    return std::nullopt;
}

[[nodiscard]] constexpr bool is_letter_or_digit(char c) noexcept {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}
[[nodiscard]] constexpr bool is_hex_digit(char c) noexcept {
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f');
}
/// A character of a token (RFC 9110, section 5.6.2).
[[nodiscard]] constexpr bool is_token_character(char c) noexcept {
    return is_letter_or_digit(c) ||
           std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, is_token_character);
}

/// Equality without regard to the case of ASCII letters.
[[nodiscard]] constexpr bool same_word(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

/// Removes the next element from a comma-separated `list` and returns it, trimmed; a comma within
/// quotes does not end it. Empty elements count (RFC 9110, section 5.6.1). None at the end. With
/// `escapes`, a backslash within quotes takes the meaning from what follows (section 5.6.4).
[[nodiscard]] constexpr std::optional<std::string_view> next_element(std::string_view& list,
                                                                     bool escapes = true) noexcept {
    if (list.data() == nullptr) return std::nullopt;
    bool quoted = false;
    std::size_t at = 0;
    for (; at < list.size(); ++at) {
        const char c = list[at];
        if (c == '"') quoted = !quoted;
        if (c == '\\' && quoted && escapes) ++at;
        if (c == ',' && !quoted) break;
    }
    const auto element = trim_blanks(list.substr(0, std::min(at, list.size())));
    list = at < list.size() ? list.substr(at + 1) : std::string_view{};
    return element;
}

}  // namespace sluice::http
