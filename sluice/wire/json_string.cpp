// Implements append_json_string and printable_json: quotes, escapes, and UTF-8 that is none.
#include "sluice/wire/json_string.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include "sluice/wire/text.hpp"

namespace sluice::wire {
namespace {

void append_code_unit(std::string& out, unsigned value) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) {
        out += "0123456789abcdef"[(value >> static_cast<unsigned>(shift)) & 0xfU];
    }
}

/// The length of the character that begins with that byte, in valid UTF-8.
std::size_t length_of(char first) noexcept {
    const auto byte = static_cast<std::uint8_t>(first);
    if (byte < 0x80) return 1;
    if (byte < 0xe0) return 2;
    return byte < 0xf0 ? 3 : 4;
}

/// All that is_printable() refuses is in the basic multilingual plane: one to three bytes.
unsigned code_point_of(std::string_view character) noexcept {
    constexpr std::array<unsigned, 4> first_bits{0, 0x7f, 0x1f, 0x0f};
    unsigned value = static_cast<std::uint8_t>(character[0]) & first_bits[character.size()];
    for (const char each : character.substr(1)) {
        value = (value << 6U) | (static_cast<std::uint8_t>(each) & 0x3fU);
    }
    return value;
}

void append_escaped(std::string& out, std::string_view valid) {
    while (!valid.empty()) {
        const auto next = valid.substr(0, length_of(valid.front()));
        valid.remove_prefix(next.size());
        if (next == "\"" || next == "\\") {
            out += '\\';
            out += next;
        } else if (next == "\t" || !is_printable(next)) {
            append_code_unit(out, code_point_of(next));
        } else {
            out += next;
        }
    }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    if (is_printable(text) && text.find_first_of("\"\\\t") == std::string_view::npos) {
        out += text;
    } else if (is_valid_utf8(text)) {
        append_escaped(out, text);
    } else {
        append_escaped(out, replace_invalid_utf8(text));
    }
    out += '"';
}

std::string printable_json(std::string json) {
    if (is_printable(without_line_end(json))) return json;
    std::string all;
    for (std::string_view left = json; !left.empty();) {
        const auto next = left.substr(0, length_of(left.front()));
        left.remove_prefix(next.size());
        if (next == "\n" || is_printable(next)) {
            all += next;
        } else {
            append_code_unit(all, code_point_of(next));
        }
    }
    return all;
}

}  // namespace sluice::wire
