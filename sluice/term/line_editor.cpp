// Implements line_editor: edits, history, search and the kill buffer.
#include "sluice/term/line_editor.hpp"

#include <algorithm>

#include "sluice/term/grapheme.hpp"

namespace sluice::term {
namespace {

constexpr std::size_t utf8_length(char32_t c) noexcept {
    if (c < 0x80) return 1;
    if (c < 0x800) return 2;
    return c < 0x10000 ? 3 : 4;
}

std::size_t utf8_length(std::u32string_view text) noexcept {
    std::size_t length = 0;
    for (const char32_t c : text) length += utf8_length(c);
    return length;
}

bool is_space(char32_t c) noexcept {
    return c == ' ' || c == '\t' || c == '\n';
}

bool is_word_character(char32_t c) noexcept {
    return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

std::string encoded(std::u32string_view text) {
    std::string out;
    for (const char32_t c : text) append_utf8(out, c);
    return out;
}

}  // namespace

void append_utf8(std::string& out, char32_t c) {
    const auto byte = [&out](char32_t value) { out.push_back(static_cast<char>(value)); };
    switch (utf8_length(c)) {
        case 1: return byte(c);
        case 2: byte(0xc0 | (c >> 6)); break;
        case 3:
            byte(0xe0 | (c >> 12));
            byte(0x80 | ((c >> 6) & 0x3f));
            break;
        default:
            byte(0xf0 | (c >> 18));
            byte(0x80 | ((c >> 12) & 0x3f));
            byte(0x80 | ((c >> 6) & 0x3f));
    }
    byte(0x80 | (c & 0x3f));
}

void line_editor::feed(std::string_view bytes, std::vector<std::string>& entries) {
    keys_.clear();
    reader_.feed(bytes, keys_);
    for (const key& k : keys_) {
        if (ended_) return;
        apply(k, entries);
    }
}

void line_editor::apply(const key& k, std::vector<std::string>& entries) {
    if (searching_ && apply_to_search(k)) return;
    using enum key_kind;
    switch (k.kind) {
        case text:
        case pasted: return insert(k.text);
        case enter: return this->enter(entries);
        case backspace: return remove(before_cursor(), cursor_);
        case erase: return remove(cursor_, after_cursor());
        case erase_or_end: ended_ = text_.empty(); return remove(cursor_, after_cursor());
        case left: cursor_ = before_cursor(); return;
        case right: cursor_ = after_cursor(); return;
        case word_left: cursor_ = start_of_word(); return;
        case word_right: cursor_ = end_of_word(); return;
        case line_start: cursor_ = 0; return;
        case line_end: cursor_ = text_.size(); return;
        case older: return browse(true);
        case newer: return browse(false);
        case kill_to_end: return kill(cursor_, text_.size());
        case kill_to_start: return kill(0, cursor_);
        case kill_back_to_space: return kill(after_space_before(), cursor_);
        case kill_word_back: return kill(start_of_word(), cursor_);
        case kill_word: return kill(cursor_, end_of_word());
        case yank:
            for (const char32_t c : killed_) insert(c);
            return;
        case clear_screen: clear_screen_ = true; return;
        case search:
            if (history_index_ == history_.size()) draft_ = text_;
            searching_ = true;
            pattern_.clear();
            return;
        case give_up: return;
    }
}

/// False if the key ends the search and must then be applied to the line.
bool line_editor::apply_to_search(const key& k) {
    using enum key_kind;
    switch (k.kind) {
        case text:
            // A longer pattern matches no line.
            if (pattern_.size() < limits_.line) pattern_ += k.text;
            search_below(std::min(history_index_ + 1, history_.size()));
            return true;
        case backspace:
            pattern_.resize(previous_grapheme(pattern_, pattern_.size()));
            search_below(history_.size());
            return true;
        case search: search_below(history_index_); return true;
        case give_up:
            searching_ = false;
            history_index_ = history_.size();
            set_text(draft_);
            return true;
        case clear_screen: clear_screen_ = true; return true;
        default: searching_ = false; return false;
    }
}

/// Shows the newest line before index `below` that contains the pattern; else changes nothing.
void line_editor::search_below(std::size_t below) {
    if (pattern_.empty()) return;
    for (std::size_t i = below; i-- > 0;) {
        const auto found = history_[i].find(pattern_);
        if (found == std::u32string::npos) continue;
        history_index_ = i;
        set_text(history_[i]);
        cursor_ = found;
        return;
    }
}

void line_editor::insert(char32_t c) {
    if (bytes_ + utf8_length(c) > limits_.line) {
        refused_ = true;
        return;
    }
    text_.insert(cursor_, 1, c);
    ++cursor_;
    bytes_ += utf8_length(c);
}

void line_editor::enter(std::vector<std::string>& entries) {
    std::u32string_view rest = text_;
    // A paste mostly ends with a newline, which would add an empty line.
    if (rest.size() > 1 && rest.ends_with('\n')) rest.remove_suffix(1);
    entries.push_back(encoded(rest));
    add_to_history();
    set_text({});
    history_index_ = history_.size();
    draft_.clear();
}

void line_editor::add_to_history() {
    if (text_.empty() || (!history_.empty() && history_.back() == text_)) return;
    history_characters_ += text_.size();
    history_.push_back(text_);
    while (history_.size() > limits_.history_lines ||
           history_characters_ > limits_.history_characters) {
        history_characters_ -= history_.front().size();
        history_.pop_front();
    }
}

void line_editor::browse(bool older) {
    if (older ? history_index_ == 0 : history_index_ >= history_.size()) return;
    if (history_index_ == history_.size()) draft_ = text_;
    history_index_ = older ? history_index_ - 1 : history_index_ + 1;
    set_text(history_index_ == history_.size() ? draft_ : history_[history_index_]);
}

void line_editor::set_text(std::u32string text) {
    text_ = std::move(text);
    bytes_ = utf8_length(text_);
    cursor_ = text_.size();
}

void line_editor::remove(std::size_t from, std::size_t to) {
    const auto length = to - from;
    bytes_ -= utf8_length(std::u32string_view{text_}.substr(from, length));
    text_.erase(from, length);
    cursor_ = from;
}

void line_editor::kill(std::size_t from, std::size_t to) {
    if (from == to) return;
    killed_ = text_.substr(from, to - from);
    remove(from, to);
}

std::size_t line_editor::before_cursor() const noexcept {
    return previous_grapheme(text_, cursor_);
}

std::size_t line_editor::after_cursor() const noexcept {
    return cursor_ < text_.size() ? next_grapheme(text_, cursor_) : cursor_;
}

std::size_t line_editor::start_of_word() const noexcept {
    std::size_t at = cursor_;
    while (at > 0 && !is_word_character(text_[at - 1])) --at;
    while (at > 0 && is_word_character(text_[at - 1])) --at;
    return at;
}

std::size_t line_editor::end_of_word() const noexcept {
    std::size_t at = cursor_;
    while (at < text_.size() && !is_word_character(text_[at])) ++at;
    while (at < text_.size() && is_word_character(text_[at])) ++at;
    return at;
}

std::size_t line_editor::after_space_before() const noexcept {
    std::size_t at = cursor_;
    while (at > 0 && is_space(text_[at - 1])) --at;
    while (at > 0 && !is_space(text_[at - 1])) --at;
    return at;
}

}  // namespace sluice::term
