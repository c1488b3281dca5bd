// Defines key_reader, which parses terminal input (UTF-8, escape sequences) into keys.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace sluice::term {

/// The edit that a key requests.
enum class key_kind : std::uint8_t {
    text,    ///< inserts a character
    pasted,  ///< inserts a pasted character; a line end is '\n'
    enter,
    backspace,
    erase,         ///< the character under the cursor
    erase_or_end,  ///< Ctrl-D: as erase, or the end of input on an empty line
    left,
    right,
    word_left,
    word_right,
    line_start,  ///< Home
    line_end,    ///< End
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

/// Parses the input of a terminal in raw mode: UTF-8, control characters, the sequences of xterm
/// and its relatives (ECMA-48; "XTerm Control Sequences", PC-style function keys), and bracketed
/// paste. Uses no clock, so that the same bytes give the same keys however they are split: a lone
/// Escape waits for the next byte. Invalid UTF-8 becomes U+FFFD; an unknown sequence is skipped.
/// Holds a few bytes, however long a sequence is.
class key_reader {
 public:
    /// Appends the keys that `bytes` complete to `keys`. Throws std::bad_alloc.
    void feed(std::string_view bytes, std::vector<key>& keys);

    [[nodiscard]] bool in_paste() const noexcept { return pasting_; }
    /// Ends a paste whose end mark has not come.
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
    void continue_character(std::uint8_t byte, std::vector<key>& keys);
    void after_escape(std::uint8_t byte, std::vector<key>& keys);
    void in_sequence(std::uint8_t byte, std::vector<key>& keys);
    void end_sequence(std::uint8_t final, std::vector<key>& keys);
    void emit(key_kind kind, std::vector<key>& keys) const;
    void emit_text(char32_t c, std::vector<key>& keys) const;

    state state_ = state::ground;
    bool pasting_ = false;
    bool after_return_ = false;
    std::array<char, 4> bytes_{};  // of a character
    std::uint8_t length_ = 0;      // bytes held of it
    std::uint8_t expected_length_ = 0;
    std::array<char, 8> parameters_{};  // of a sequence; longer ones are cut
    std::uint8_t parameter_count_ = 0;
};

}  // namespace sluice::term
