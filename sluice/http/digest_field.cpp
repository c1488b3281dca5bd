// Base64, hexadecimal digits, and the part of structured fields that digests use (RFC 8941).
#include "sluice/http/digest_field.hpp"

#include <cstdint>

#include "sluice/base/parse_number.hpp"
#include "sluice/http/text.hpp"

namespace sluice::http {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view hex_digits = "0123456789abcdef";
// 32 bytes are ten groups of three and a group of two.
constexpr std::size_t base64_length = 44;

/// A member of a dictionary, `key=value;parameters`, without its parameters.
struct member {
    std::string_view key;
    std::string_view value;
};

member split(std::string_view element) noexcept {
    element = trim_blanks(element.substr(0, element.find(';')));
    const auto equals = element.find('=');
    if (equals == std::string_view::npos) return {.key = element, .value = {}};
    return {.key = element.substr(0, equals), .value = element.substr(equals + 1)};
}

std::optional<std::uint32_t> sextet(char c) noexcept {
    const auto at = alphabet.find(c);
    if (at == std::string_view::npos) return std::nullopt;
    return static_cast<std::uint32_t>(at);
}

std::optional<sha256_value> from_base64(std::string_view text) noexcept {
    if (text.size() != base64_length || text.back() != '=') return std::nullopt;
    text.remove_suffix(1);
    sha256_value out{};
    std::uint32_t held = 0;
    unsigned bits = 0;
    std::size_t at = 0;
    for (const char c : text) {
        const auto value = sextet(c);
        if (!value) return std::nullopt;
        held = (held << 6U) | *value;
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        out[at++] = static_cast<std::byte>(held >> bits);
        held &= (1U << bits) - 1;
    }
    // Padding bits must be zero, so that a digest has a single form.
    if (held != 0) return std::nullopt;
    return out;
}

}  // namespace

std::string to_hex(const sha256_value& digest) {
    std::string text;
    text.reserve(2 * digest.size());
    for (const std::byte each : digest) {
        text += hex_digits[std::to_integer<unsigned>(each) >> 4U];
        text += hex_digits[std::to_integer<unsigned>(each) & 15U];
    }
    return text;
}

std::optional<sha256_value> sha256_from_hex(std::string_view text) noexcept {
    sha256_value out{};
    if (text.size() != 2 * out.size()) return std::nullopt;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto high = hex_value(text[2 * i]);
        const auto low = hex_value(text[(2 * i) + 1]);
        if (!high || !low) return std::nullopt;
        out[i] = static_cast<std::byte>((*high << 4U) | *low);
    }
    return out;
}

std::string to_base64(const sha256_value& digest) {
    std::string text;
    text.reserve(base64_length);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const std::byte each : digest) {
        held = (held << 8U) | std::to_integer<std::uint32_t>(each);
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            text += alphabet[(held >> bits) & 63U];
        }
    }
    text += alphabet[(held << (6 - bits)) & 63U];
    text += '=';
    return text;
}

std::string format_repr_digest(const sha256_value& digest) {
    return "sha-256=:" + to_base64(digest) + ":";
}

std::expected<std::optional<sha256_value>, std::string_view> parse_repr_digest(
    std::string_view field) noexcept {
    std::optional<sha256_value> found;
    while (const auto element = next_element(field)) {
        const auto [key, value] = split(*element);
        if (key != "sha-256") continue;
        const bool is_bytes = value.size() >= 2 && value.front() == ':' && value.back() == ':';
        const auto digest =
            is_bytes ? from_base64(value.substr(1, value.size() - 2)) : std::nullopt;
        if (!digest) return std::unexpected{"sha-256 is written :BASE64: of 32 bytes"};
        // The last of repeated keys counts (RFC 8941, section 3.2).
        found = digest;
    }
    return found;
}

std::optional<bool> wants_sha256(std::string_view field) noexcept {
    std::optional<bool> wanted;
    while (const auto element = next_element(field)) {
        const auto [key, value] = split(*element);
        if (key == "sha-256") wanted = parse_number(value).value_or(0) > 0;
    }
    return wanted;
}

}  // namespace sluice::http
