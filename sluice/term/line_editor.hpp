// A line as it is being typed: what keys do to it, and the lines that were typed before.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/term/line_editor_keys.hpp"

namespace sluice::term {

/// Edits one line after the other, from the bytes that a terminal in raw mode sends. Does no I/O
/// and draws nothing (line_editor_view does); any split of the same bytes gives the same lines and
/// the same state.
///
/// Moves by characters (grapheme clusters: Left, Right, Ctrl-B, Ctrl-F), words (Ctrl-Left,
/// Ctrl-Right, Alt-B, Alt-F) and to the ends (Home, End, Ctrl-A, Ctrl-E); erases with Backspace,
/// Delete, Ctrl-D, Ctrl-K, Ctrl-U, Ctrl-W, Alt-D and Alt-Backspace, of which the last five can be
/// brought back with Ctrl-Y; Up, Down, Ctrl-P and Ctrl-N go through the lines before, Ctrl-R
/// searches them. What is pasted (bracketed paste) is inserted with its line ends, which stay in
/// what Enter gives.
class line_editor {
 public:
    struct limits {
        std::size_t line = std::size_t{64} * 1024;      ///< bytes of UTF-8; more is not taken
        std::size_t history_lines = 500;                ///< lines remembered
        std::size_t history_characters = 256UL * 1024;  ///< characters in all of those
    };

    line_editor() = default;
    explicit line_editor(limits most) : most_{most} {}

    /// Takes what was typed and appends what it entered, in UTF-8: a string for each Enter, whose
    /// lines, if there are several, are parted by '\n'. Nothing after the end of input. Throws
    /// std::bad_alloc.
    void feed(std::string_view bytes, std::vector<std::string>& entries);

    /// Ctrl-D was typed on an empty line: there will be no other line.
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// Whether Ctrl-L was typed since the last call.
    [[nodiscard]] bool take_clear_screen() noexcept { return std::exchange(clear_screen_, false); }
    /// Whether something was not taken since the last call, because the line is as long as it may
    /// be.
    [[nodiscard]] bool take_refused() noexcept { return std::exchange(refused_, false); }

    /// Between the two marks of a paste, where keys are text.
    [[nodiscard]] bool in_paste() const noexcept { return reader_.in_paste(); }
    /// What comes next is typed: the end mark of a paste was lost.
    void end_paste() noexcept { reader_.end_paste(); }

    /// What is to be shown: the line, the place of the cursor in it in characters, and what stands
    /// before it instead of the prompt, if anything. A '\n' stands between pasted lines.
    [[nodiscard]] std::u32string_view text() const noexcept { return text_; }
    [[nodiscard]] std::size_t cursor() const noexcept { return cursor_; }
    [[nodiscard]] bool searching() const noexcept { return searching_; }
    [[nodiscard]] std::u32string_view wanted() const noexcept { return wanted_; }

 private:
    void take(const key& k, std::vector<std::string>& entries);
    bool take_while_searching(const key& k);
    void insert(char32_t c);
    void enter(std::vector<std::string>& entries);
    void remember();
    void browse(bool older);
    void look_for(std::size_t below);
    void set_text(std::u32string text);
    void remove(std::size_t from, std::size_t to);
    void kill(std::size_t from, std::size_t to);
    [[nodiscard]] std::size_t before_cursor() const noexcept;
    [[nodiscard]] std::size_t after_cursor() const noexcept;
    [[nodiscard]] std::size_t start_of_word() const noexcept;
    [[nodiscard]] std::size_t end_of_word() const noexcept;
    [[nodiscard]] std::size_t after_space_before() const noexcept;

    limits most_;
    key_reader reader_;
    std::vector<key> keys_;  // of one call; kept for its memory
    std::u32string text_;
    std::size_t cursor_ = 0;
    std::size_t bytes_ = 0;  // of the text in UTF-8
    std::u32string killed_;
    std::deque<std::u32string> history_;
    std::size_t history_characters_ = 0;
    std::size_t at_ = 0;     // the line of the history that is shown; its size: none
    std::u32string draft_;   // what was typed before the history was looked at
    std::u32string wanted_;  // what is searched for
    bool searching_ = false;
    bool clear_screen_ = false;
    bool refused_ = false;
    bool ended_ = false;
};

/// Appends a character in UTF-8.
void append_utf8(std::string& out, char32_t c);

}  // namespace sluice::term
