// Defines line_editor: edits a line from terminal input, with history and search.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/term/line_editor_keys.hpp"

namespace sluice::term {

/// Edits one line after the other from the bytes that a terminal in raw mode sends. Does no I/O and
/// draws nothing (line_editor_view does). The same bytes give the same lines and the same state,
/// however they are split.
///
/// Moves by characters (grapheme clusters: Left, Right, Ctrl-B, Ctrl-F), words (Ctrl-Left,
/// Ctrl-Right, Alt-B, Alt-F) and to the ends (Home, End, Ctrl-A, Ctrl-E); erases with Backspace,
/// Delete, Ctrl-D, Ctrl-K, Ctrl-U, Ctrl-W, Alt-D and Alt-Backspace, and Ctrl-Y inserts again what
/// the last five erased. Up, Down, Ctrl-P and Ctrl-N browse the history, Ctrl-R searches it. Pasted
/// text (bracketed paste) keeps its line ends, also in the entry that Enter gives.
class line_editor {
 public:
    struct limits {
        std::size_t line = std::size_t{64} * 1024;      ///< bytes of UTF-8; the rest is refused
        std::size_t history_lines = 500;                ///< lines kept
        std::size_t history_characters = 256UL * 1024;  ///< characters in all lines kept
    };

    line_editor() = default;
    explicit line_editor(limits l) : limits_{l} {}

    /// Applies the typed `bytes` and appends to `entries` a UTF-8 string per Enter, whose lines, if
    /// there are several, are separated by '\n'. Does nothing once ended(). Throws std::bad_alloc.
    void feed(std::string_view bytes, std::vector<std::string>& entries);

    /// True once Ctrl-D was typed on an empty line; no line follows.
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// True if Ctrl-L was typed since the last call.
    [[nodiscard]] bool take_clear_screen() noexcept { return std::exchange(clear_screen_, false); }
    /// True if a character was refused since the last call, because the line has reached its
    /// limit.
    [[nodiscard]] bool take_refused() noexcept { return std::exchange(refused_, false); }

    /// True between the two marks of a paste, where all input is text.
    [[nodiscard]] bool in_paste() const noexcept { return reader_.in_paste(); }
    /// Treats what follows as typed: for a paste whose end mark was lost.
    void end_paste() noexcept { reader_.end_paste(); }

    /// What a view draws: the line, with '\n' between pasted lines; the cursor's index in it, in
    /// characters; and during a search, the pattern, which replaces the prompt.
    [[nodiscard]] std::u32string_view text() const noexcept { return text_; }
    [[nodiscard]] std::size_t cursor() const noexcept { return cursor_; }
    [[nodiscard]] bool searching() const noexcept { return searching_; }
    [[nodiscard]] std::u32string_view wanted() const noexcept { return pattern_; }

 private:
    void apply(const key& k, std::vector<std::string>& entries);
    bool apply_to_search(const key& k);
    void insert(char32_t c);
    void enter(std::vector<std::string>& entries);
    void add_to_history();
    void browse(bool older);
    void search_below(std::size_t below);
    void set_text(std::u32string text);
    void remove(std::size_t from, std::size_t to);
    void kill(std::size_t from, std::size_t to);
    [[nodiscard]] std::size_t before_cursor() const noexcept;
    [[nodiscard]] std::size_t after_cursor() const noexcept;
    [[nodiscard]] std::size_t start_of_word() const noexcept;
    [[nodiscard]] std::size_t end_of_word() const noexcept;
    [[nodiscard]] std::size_t after_space_before() const noexcept;

    limits limits_;
    key_reader reader_;
    std::vector<key> keys_;  // of one call of feed(); kept for its memory
    std::u32string text_;
    std::size_t cursor_ = 0;
    std::size_t bytes_ = 0;  // of the text in UTF-8
    std::u32string killed_;
    std::deque<std::u32string> history_;
    std::size_t history_characters_ = 0;
    std::size_t history_index_ = 0;  // of the line shown; history_.size() for the draft
    std::u32string draft_;           // the line as it was before browsing or searching
    std::u32string pattern_;         // of the search
    bool searching_ = false;
    bool clear_screen_ = false;
    bool refused_ = false;
    bool ended_ = false;
};

/// Appends a character in UTF-8.
void append_utf8(std::string& out, char32_t c);

}  // namespace sluice::term
