// Implements UTF-8 decoding and terminal escaping; scans ASCII eight bytes at a time.
#include "sluice/wire/text.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace sluice::wire {
namespace {

constexpr std::uint8_t byte_at(std::string_view text, std::size_t i) noexcept {
    return static_cast<std::uint8_t>(text[i]);
}

/// The first character of a text, or a maximal subpart that is not UTF-8.
struct character {
    char32_t code_point;  // 0 unless `valid`
    std::size_t length;   // in bytes, 1 to 4
    bool valid;
};

/// Properties of a lead byte: the character's length, and the range of its second byte.
struct lead {
    std::uint8_t length;  // 0: not a lead byte
    std::uint8_t second_low;
    std::uint8_t second_high;
};

/// The Unicode Standard, table 3-7: the range of the second byte rules out overlong forms,
/// surrogates and code points above U+10FFFF.
consteval lead lead_of(std::uint8_t first) noexcept {
    if (first < 0x80) return {1, 0, 0};
    if (first < 0xc2) return {0, 0, 0};
    if (first < 0xe0) return {2, 0x80, 0xbf};
    if (first == 0xe0) return {3, 0xa0, 0xbf};
    if (first == 0xed) return {3, 0x80, 0x9f};
    if (first < 0xf0) return {3, 0x80, 0xbf};
    if (first == 0xf0) return {4, 0x90, 0xbf};
    if (first < 0xf4) return {4, 0x80, 0xbf};
    if (first == 0xf4) return {4, 0x80, 0x8f};
    return {0, 0, 0};
}

constexpr auto leads = []() consteval {
    std::array<lead, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = lead_of(static_cast<std::uint8_t>(i));
    return table;
}();

/// Decodes the start of `text`, which is not empty.
constexpr character first_of(std::string_view text) noexcept {
    const std::uint8_t first = byte_at(text, 0);
    const lead begin = leads[first];
    if (begin.length == 0) return {.code_point = 0, .length = 1, .valid = false};
    if (begin.length == 1) return {.code_point = first, .length = 1, .valid = true};

    char32_t code_point = first & (0x7fU >> begin.length);
    std::uint8_t low = begin.second_low;
    std::uint8_t high = begin.second_high;
    for (std::size_t i = 1; i < begin.length; ++i) {
        if (i == text.size() || byte_at(text, i) < low || byte_at(text, i) > high) {
            return {.code_point = 0, .length = i, .valid = false};
        }
        code_point = (code_point << 6) | (byte_at(text, i) & 0x3fU);
        low = 0x80;
        high = 0xbf;
    }
    return {.code_point = code_point, .length = begin.length, .valid = true};
}

// A word holds eight bytes; in_all() repeats a byte eight times.
using word = std::uint64_t;
constexpr word in_all(std::uint8_t byte) noexcept {
    return byte * word{0x0101010101010101};
}

// Character classes for prefix(): all() tests eight ASCII bytes at once, one() an ASCII byte,
// beyond_ascii() any other character. all() may refuse bytes that one() accepts.

struct any_character {
    static constexpr bool all(word bytes) noexcept { return (bytes & in_all(0x80)) == 0; }
    static constexpr bool one(std::uint8_t /*byte*/) noexcept { return true; }
    static constexpr bool beyond_ascii(char32_t /*c*/) noexcept { return true; }
};

struct terminal_safe {
    // Refuses the tab, which one() accepts.
    static constexpr bool all(word bytes) noexcept {
        const word above = bytes | (bytes + in_all(1));                 // high bit set from 0x7f up
        const word from_space = (bytes | in_all(0x80)) - in_all(0x20);  // high bit clear below 0x20
        return ((above | ~from_space) & in_all(0x80)) == 0;
    }
    static constexpr bool one(std::uint8_t byte) noexcept {
        return (byte >= 0x20 && byte < 0x7f) || byte == '\t';
    }
    static constexpr bool beyond_ascii(char32_t c) noexcept {
        if (c < 0xa0) return false;
        return (c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069);
    }
};

/// The length of the longest prefix that is UTF-8 with all characters of the class `Wanted`.
template <class Wanted>
std::size_t prefix(std::string_view text) noexcept {
    std::size_t done = 0;
    while (done < text.size()) {
        if (word bytes = 0; text.size() - done >= sizeof bytes) {
            std::memcpy(&bytes, text.data() + done, sizeof bytes);
            if (Wanted::all(bytes)) {
                done += sizeof bytes;
                continue;
            }
        }
        if (const auto byte = byte_at(text, done); byte < 0x80) {
            if (!Wanted::one(byte)) return done;
            ++done;
        } else {
            const character next = first_of(text.substr(done));
            if (!next.valid || !Wanted::beyond_ascii(next.code_point)) return done;
            done += next.length;
        }
    }
    return done;
}

/// The length of the longest prefix that is UTF-8.
std::size_t valid_prefix(std::string_view text) noexcept {
    return prefix<any_character>(text);
}

/// The length of the longest prefix that needs no escape.
std::size_t printable_prefix(std::string_view text) noexcept {
    return prefix<terminal_safe>(text);
}

void append_hex(std::string& out, std::uint32_t value, int digits) {
    for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) {
        out.push_back("0123456789abcdef"[(value >> shift) & 0xfU]);
    }
}

void append_escaped(std::string& out, std::string_view bytes, const character& what) {
    if (what.valid && what.code_point >= 0x80) {
        out.append("\\u");
        append_hex(out, what.code_point, 4);
        return;
    }
    for (const char byte : bytes) {
        out.append("\\x");
        append_hex(out, static_cast<std::uint8_t>(byte), 2);
    }
}

}  // namespace

bool is_valid_utf8(std::string_view text) noexcept {
    return valid_prefix(text) == text.size();
}

void append_valid_utf8(std::string& out, std::string_view text) {
    while (true) {
        const std::size_t good = valid_prefix(text);
        out.append(text.substr(0, good));
        text.remove_prefix(good);
        if (text.empty()) return;
        out.append("\xef\xbf\xbd");
        text.remove_prefix(first_of(text).length);
    }
}

std::string replace_invalid_utf8(std::string_view text) {
    std::string out;
    append_valid_utf8(out, text);
    return out;
}

std::string_view without_line_end(std::string_view text) noexcept {
    if (!text.ends_with('\n')) return text;
    text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

std::string_view truncate_utf8(std::string_view text, std::size_t max_bytes) noexcept {
    if (text.size() <= max_bytes) return text;
    constexpr std::size_t longest = 4;
    // Only a character that starts in the last three bytes can extend past the cut.
    for (std::size_t back = 1; back < longest && back <= max_bytes; ++back) {
        const std::size_t begin = max_bytes - back;
        const character cut = first_of(text.substr(begin));
        if (cut.valid && cut.length > back) return text.substr(0, begin);
    }
    return text.substr(0, max_bytes);
}

bool is_printable(std::string_view text) noexcept {
    return printable_prefix(text) == text.size();
}

void append_printable(std::string& out, std::string_view text) {
    while (true) {
        const std::size_t good = printable_prefix(text);
        out.append(text.substr(0, good));
        text.remove_prefix(good);
        if (text.empty()) return;
        const character bad = first_of(text);
        append_escaped(out, text.substr(0, bad.length), bad);
        text.remove_prefix(bad.length);
    }
}

std::string printable(std::string_view text) {
    std::string out;
    append_printable(out, text);
    return out;
}

std::string_view printable(std::string_view text, std::string& scratch) {
    if (is_printable(text)) return text;
    scratch.clear();
    append_printable(scratch, text);
    return scratch;
}

std::string in_quotes(std::string_view text, std::size_t most) {
    const auto shown = truncate_utf8(text, most);
    std::string quoted{"'"};
    append_printable(quoted, shown);
    quoted += shown.size() < text.size() ? "...'" : "'";
    return quoted;
}

}  // namespace sluice::wire
