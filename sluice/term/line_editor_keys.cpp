// Implements key_reader: a state machine over UTF-8, control characters and escape sequences.
#include "sluice/term/line_editor_keys.hpp"

#include <optional>

#include "sluice/wire/text.hpp"

namespace sluice::term {
namespace {

constexpr char32_t replacement = 0xfffd;
constexpr std::uint8_t escape_byte = 0x1b;
constexpr std::uint8_t delete_byte = 0x7f;

constexpr std::uint8_t control(char letter) noexcept {
    return static_cast<std::uint8_t>(letter & 0x1f);
}

std::optional<key_kind> of_control(std::uint8_t byte) noexcept {
    using enum key_kind;
    switch (byte) {
        case control('A'): return line_start;
        case control('B'): return left;
        case control('D'): return erase_or_end;
        case control('E'): return line_end;
        case control('F'): return right;
        case control('G'): return give_up;
        case control('H'):
        case delete_byte: return backspace;
        case '\n':
        case '\r': return enter;
        case control('K'): return kill_to_end;
        case control('L'): return clear_screen;
        case control('N'): return newer;
        case control('P'): return older;
        case control('R'): return search;
        case control('U'): return kill_to_start;
        case control('W'): return kill_back_to_space;
        case control('Y'): return yank;
        default: return std::nullopt;
    }
}

std::optional<key_kind> of_alt(std::uint8_t byte) noexcept {
    using enum key_kind;
    switch (byte) {
        case 'b': return word_left;
        case 'f': return word_right;
        case 'd': return kill_word;
        case control('H'):
        case delete_byte: return kill_word_back;
        default: return std::nullopt;
    }
}

std::optional<key_kind> of_letter(std::uint8_t letter, bool with_modifier) noexcept {
    using enum key_kind;
    switch (letter) {
        case 'A': return older;
        case 'B': return newer;
        case 'C': return with_modifier ? word_right : right;
        case 'D': return with_modifier ? word_left : left;
        case 'F': return line_end;
        case 'H': return line_start;
        default: return std::nullopt;
    }
}

std::optional<key_kind> of_number(std::string_view number) noexcept {
    using enum key_kind;
    if (number == "1" || number == "7") return line_start;
    if (number == "3") return erase;
    if (number == "4" || number == "8") return line_end;
    return std::nullopt;
}

/// Bytes of the UTF-8 character that begins with `byte`; 0 if no character does.
std::uint8_t length_of(std::uint8_t byte) noexcept {
    if (byte < 0xc2 || byte > 0xf4) return 0;
    if (byte < 0xe0) return 2;
    return byte < 0xf0 ? 3 : 4;
}

char32_t decoded(std::string_view bytes) noexcept {
    if (!wire::is_valid_utf8(bytes)) return replacement;
    auto c = static_cast<char32_t>(static_cast<std::uint8_t>(bytes[0]) & (0x7fU >> bytes.size()));
    for (const char byte : bytes.substr(1)) {
        c = (c << 6) | (static_cast<std::uint8_t>(byte) & 0x3fU);
    }
    return c;
}

}  // namespace

void key_reader::feed(std::string_view bytes, std::vector<key>& keys) {
    for (const char byte : bytes) take(static_cast<std::uint8_t>(byte), keys);
}

void key_reader::take(std::uint8_t byte, std::vector<key>& keys) {
    switch (state_) {
        case state::ground: return begin(byte, keys);
        case state::character: return continue_character(byte, keys);
        case state::escape: return after_escape(byte, keys);
        case state::sequence: return in_sequence(byte, keys);
        case state::function:
            state_ = state::ground;
            if (byte < 0x20) return begin(byte, keys);
            if (const auto kind = of_letter(byte, false)) emit(*kind, keys);
            return;
        case state::console:
            state_ = state::ground;
            if (byte < 0x20) begin(byte, keys);
            return;
    }
}

void key_reader::begin(std::uint8_t byte, std::vector<key>& keys) {
    const bool second_half_of_crlf = after_return_ && byte == '\n';
    after_return_ = byte == '\r';
    if (second_half_of_crlf) return;
    if (byte == escape_byte) {
        state_ = state::escape;
    } else if (pasting_ && (byte == '\n' || byte == '\r')) {
        emit_text('\n', keys);
    } else if (pasting_ && byte == '\t') {
        emit_text('\t', keys);
    } else if (byte < 0x20 || byte == delete_byte) {
        if (const auto kind = of_control(byte)) emit(*kind, keys);
    } else if (byte < 0x80) {
        emit_text(byte, keys);
    } else if (expected_length_ = length_of(byte); expected_length_ > 0) {
        bytes_[0] = static_cast<char>(byte);
        length_ = 1;
        state_ = state::character;
    } else {
        emit_text(replacement, keys);
    }
}

void key_reader::continue_character(std::uint8_t byte, std::vector<key>& keys) {
    if (byte < 0x80 || byte > 0xbf) {
        state_ = state::ground;
        emit_text(replacement, keys);
        return begin(byte, keys);
    }
    bytes_[length_++] = static_cast<char>(byte);
    if (length_ < expected_length_) return;
    state_ = state::ground;
    const char32_t c = decoded({bytes_.data(), length_});
    // No keyboard sends the control characters beyond ASCII (C1).
    if (c >= 0xa0) emit_text(c, keys);
}

void key_reader::after_escape(std::uint8_t byte, std::vector<key>& keys) {
    if (byte == escape_byte) return;
    state_ = state::ground;
    if (byte == '[') {
        parameter_count_ = 0;
        state_ = state::sequence;
    } else if (byte == 'O') {
        state_ = state::function;
    } else if (const auto kind = of_alt(byte)) {
        emit(*kind, keys);
    } else if (byte < 0x20 || byte >= 0x80) {
        begin(byte, keys);
    }
}

void key_reader::in_sequence(std::uint8_t byte, std::vector<key>& keys) {
    if (byte >= 0x40 && byte < delete_byte) return end_sequence(byte, keys);
    if (byte < 0x20 || byte >= delete_byte) {
        state_ = state::ground;
        return begin(byte, keys);
    }
    // A longer sequence is unknown; its bytes are skipped until its end.
    if (parameter_count_ < parameters_.size()) {
        parameters_[parameter_count_++] = static_cast<char>(byte);
    }
}

void key_reader::end_sequence(std::uint8_t final, std::vector<key>& keys) {
    state_ = state::ground;
    const std::string_view parameters{parameters_.data(), parameter_count_};
    if (final == '[' && parameters.empty()) {
        state_ = state::console;
        return;
    }
    const auto number = parameters.substr(0, parameters.find(';'));
    if (final != '~') {
        if (const auto kind = of_letter(final, number.size() < parameters.size())) {
            emit(*kind, keys);
        }
        return;
    }
    if (number == "200" || number == "201") {
        pasting_ = number == "200";
    } else if (const auto kind = of_number(number)) {
        emit(*kind, keys);
    }
}

void key_reader::emit(key_kind kind, std::vector<key>& keys) const {
    if (!pasting_) keys.push_back({.kind = kind});
}

void key_reader::emit_text(char32_t c, std::vector<key>& keys) const {
    keys.push_back({.kind = pasting_ ? key_kind::pasted : key_kind::text, .text = c});
}

}  // namespace sluice::term
