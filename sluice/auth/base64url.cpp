// Implements base64url: six bits for each character, the first in the high bits.
#include "sluice/auth/base64url.hpp"

#include <cstdint>

namespace sluice::auth {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr unsigned bits_of_character = 6;
constexpr unsigned bits_of_byte = 8;

}  // namespace

std::string to_base64url(const_bytes data) {
    std::string text;
    text.reserve((data.size() * bits_of_byte + bits_of_character - 1) / bits_of_character);
    std::uint32_t bits = 0;  // of which the low `held` are still to be written
    unsigned held = 0;
    for (const std::byte each : data) {
        bits = (bits << bits_of_byte) | std::to_integer<std::uint32_t>(each);
        held += bits_of_byte;
        while (held >= bits_of_character) {
            held -= bits_of_character;
            text += alphabet[(bits >> held) & 0x3fU];
        }
    }
    if (held > 0) text += alphabet[(bits << (bits_of_character - held)) & 0x3fU];
    return text;
}

std::optional<std::vector<std::byte>> from_base64url(std::string_view text) {
    std::vector<std::byte> data;
    data.reserve(text.size() * bits_of_character / bits_of_byte);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char each : text) {
        const auto value = alphabet.find(each);
        if (value == std::string_view::npos) return std::nullopt;
        bits = (bits << bits_of_character) | static_cast<std::uint32_t>(value);
        held += bits_of_character;
        if (held < bits_of_byte) continue;
        held -= bits_of_byte;
        data.push_back(static_cast<std::byte>((bits >> held) & 0xffU));
    }
    // A character too many, or bits that no byte has.
    if (held >= bits_of_character || (bits & ((1U << held) - 1)) != 0) return std::nullopt;
    return data;
}

}  // namespace sluice::auth
