// What a terminal sends when keys are pressed, and what that means.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::term {

/// What a key asks for.
enum class key_kind : std::uint8_t {
    text,    ///< a character to be inserted
    pasted,  ///< the same from a paste; a line end in it is '\n'
    enter,
    backspace,
    erase,         ///< the character under the cursor
    erase_or_end,  ///< Ctrl-D: the same, or the end of input on an empty line
    left,
    right,
    word_left,
    word_right,
    home,
    end,
    older,
    newer,
    kill_to_end,
    kill_to_start,
    kill_back_to_space,
    kill_word_back,
    kill_word,
    yank,
    clear_screen,
    search,
    give_up,  ///< Ctrl-G
};

struct key {
    key_kind kind = key_kind::text;
    char32_t text = 0;  ///< of text and pasted
    friend bool operator==(const key&, const key&) = default;
};

/// Reads keys from what a terminal in raw mode sends: UTF-8, control characters, the sequences of
/// xterm and its relatives (ECMA-48; "XTerm Control Sequences", PC-style function keys), and
/// bracketed paste. Knows no clock, so that any split of the same bytes gives the same keys: an
/// Escape alone waits for the byte that shows what it begins. What is not UTF-8 becomes U+FFFD; a
/// sequence that is not known is passed over. Holds a few bytes, however long a sequence is.
class key_reader {
 public:
    /// Appends to `keys` those that `bytes` complete. Throws std::bad_alloc.
    void feed(std::string_view bytes, std::vector<key>& keys);

    [[nodiscard]] bool in_paste() const noexcept { return pasting_; }
    /// Keys are keys again, though no end mark has come.
    void end_paste() noexcept { pasting_ = false; }

 private:
    enum class state : std::uint8_t {
        ground,
        character,  // within a character of several bytes
        escape,
        sequence,  // after "ESC ["
        function,  // after "ESC O"
        console,   // after "ESC [ [", as the Linux console sends F1 to F5
    };

    void take(std::uint8_t byte, std::vector<key>& keys);
    void begin(std::uint8_t byte, std::vector<key>& keys);
    void go_on_with_character(std::uint8_t byte, std::vector<key>& keys);
    void after_escape(std::uint8_t byte, std::vector<key>& keys);
    void in_sequence(std::uint8_t byte, std::vector<key>& keys);
    void end_sequence(std::uint8_t final, std::vector<key>& keys);
    void give(key_kind kind, std::vector<key>& keys) const;
    void give_text(char32_t c, std::vector<key>& keys) const;

    state state_ = state::ground;
    bool pasting_ = false;
    bool after_return_ = false;
    std::array<char, 4> bytes_{};  // of a character
    std::uint8_t length_ = 0;      // of those
    std::uint8_t wanted_ = 0;
    std::array<char, 8> parameters_{};  // of a sequence, as far as they matter
    std::uint8_t parameter_count_ = 0;
};

}  // namespace sluice::term
