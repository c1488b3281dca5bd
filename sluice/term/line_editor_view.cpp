// Implements line_editor_view: lays the line out in rows and writes ECMA-48 cursor movements.
#include "sluice/term/line_editor_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sluice/term/grapheme.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::term {
namespace {

constexpr char32_t line_end_mark = 0x21b5;
constexpr char32_t replacement_shown = 0xfffd;
constexpr std::size_t min_columns = 4;

char32_t shown_for(char32_t c) {
    if (c == '\n') return line_end_mark;
    if (c == '\t') return ' ';
    std::string bytes;
    append_utf8(bytes, c);
    return wire::is_printable(bytes) ? c : replacement_shown;
}

struct row {
    std::size_t from;   // index of its first character
    std::size_t to;     // one past its last
    std::size_t width;  // in columns
};

/// The rows of a text, and the position of the cursor in them.
struct layout {
    std::vector<row> rows;
    std::size_t cursor_row = 0;
    std::size_t cursor_column = 0;
};

layout lay_out(std::u32string_view text, std::size_t cursor, std::size_t width) {
    layout out;
    row current{.from = 0, .to = 0, .width = 0};
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t next = next_grapheme(text, i);
        const std::size_t columns = columns_of(text.substr(i, next - i));
        if (current.width + columns > width) {
            out.rows.push_back(current);
            current = {.from = i, .to = i, .width = 0};
        }
        // Typing within a cluster can leave the cursor inside it.
        if (i <= cursor && cursor < next) {
            out.cursor_row = out.rows.size();
            out.cursor_column = current.width;
        }
        current.width += columns;
        current.to = i = next;
    }
    if (cursor == text.size()) {
        out.cursor_row = out.rows.size();
        out.cursor_column = current.width;
    }
    out.rows.push_back(current);
    return out;
}

void append_move(std::string& out, std::size_t count, char direction) {
    if (count > 0) out += fmt::format("\x1b[{}{}", count, direction);
}

}  // namespace

void append_shown(std::string& out, char32_t c) {
    append_utf8(out, shown_for(c));
}

void line_editor_view::resize(std::size_t columns, std::size_t rows) noexcept {
    columns_ = std::max(columns == 0 ? default_columns : columns, min_columns);
    rows_ = std::max<std::size_t>(rows == 0 ? default_rows : rows, 2);
}

void line_editor_view::erase(std::string& out) {
    if (drawn_.empty()) return;
    append_move(out, rows_to(cursor_row_, cursor_column_), 'A');
    out += "\r\x1b[J";
    forget();
}

void line_editor_view::draw(std::string& out, std::string_view prompt, const line_editor& line) {
    std::u32string whole;
    const auto add = [&whole](std::u32string_view text) {
        for (const char32_t c : text) whole += shown_for(c);
    };
    if (line.searching()) {
        whole = U"(search: ";
        add(line.wanted());
        whole += U") ";
    } else {
        whole.assign(prompt.begin(), prompt.end());
    }
    const std::size_t before = whole.size();
    add(line.text());

    const auto laid_out = lay_out(whole, before + line.cursor(), columns_ - 1);
    const std::size_t visible_rows = rows_ - 1;
    const std::size_t first =
        laid_out.cursor_row < visible_rows ? 0 : laid_out.cursor_row - visible_rows + 1;
    const std::size_t last = std::min(laid_out.rows.size(), first + visible_rows);
    for (std::size_t i = first; i < last; ++i) {
        if (i > first) out += "\r\n";
        for (std::size_t at = laid_out.rows[i].from; at < laid_out.rows[i].to; ++at) {
            append_utf8(out, whole[at]);
        }
        drawn_.push_back(laid_out.rows[i].width);
    }
    cursor_row_ = laid_out.cursor_row - first;
    cursor_column_ = laid_out.cursor_column;
    append_move(out, drawn_.size() - 1 - cursor_row_, 'A');
    // After the last character the cursor is already in place.
    if (cursor_row_ + 1 == drawn_.size() && cursor_column_ == drawn_.back()) return;
    out += '\r';
    append_move(out, cursor_column_, 'C');
}

void line_editor_view::keep(std::string& out) {
    if (drawn_.empty()) return;
    const std::size_t last = drawn_.size() - 1;
    append_move(out, rows_to(last, drawn_[last]) - rows_to(cursor_row_, cursor_column_), 'B');
    out += "\r\n";
    forget();
}

void line_editor_view::forget() noexcept {
    drawn_.clear();
    cursor_row_ = 0;
    cursor_column_ = 0;
}

std::size_t line_editor_view::rows_to(std::size_t row, std::size_t column) const noexcept {
    std::size_t rows = 0;
    for (std::size_t i = 0; i < row; ++i) {
        rows += std::max<std::size_t>(1, (drawn_[i] + columns_ - 1) / columns_);
    }
    // At the end of a full row a terminal wraps only with the next character.
    const bool at_the_end = column > 0 && column == drawn_[row];
    return rows + (at_the_end ? (column - 1) / columns_ : column / columns_);
}

}  // namespace sluice::term
