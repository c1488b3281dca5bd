// The layout, and the way between two layouts.
#include "sluice/term/line_editor_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sluice/term/grapheme.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::term {
namespace {

constexpr char32_t line_end_mark = 0x21b5;
constexpr char32_t replacement_shown = 0xfffd;
constexpr std::size_t fewest_columns = 4;

char32_t shown_for(char32_t c) {
    if (c == '\n') return line_end_mark;
    if (c == '\t') return ' ';
    std::string bytes;
    append_utf8(bytes, c);
    return is_printable(bytes) ? c : replacement_shown;
}

struct row {
    std::size_t from;   // in characters of the whole
    std::size_t to;     // one behind its last
    std::size_t width;  // in columns
};

/// All rows of a text, and the cursor's place among them.
struct layout {
    std::vector<row> rows;
    std::size_t cursor_row = 0;
    std::size_t cursor_column = 0;
};

layout lay_out(std::u32string_view text, std::size_t cursor, std::size_t width) {
    layout out;
    row now{.from = 0, .to = 0, .width = 0};
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t next = next_grapheme(text, i);
        const std::size_t columns = columns_of(text.substr(i, next - i));
        if (now.width + columns > width) {
            out.rows.push_back(now);
            now = {.from = i, .to = i, .width = 0};
        }
        // What is typed within a cluster may make the cursor stand there for a while.
        if (i <= cursor && cursor < next) {
            out.cursor_row = out.rows.size();
            out.cursor_column = now.width;
        }
        now.width += columns;
        now.to = i = next;
    }
    if (cursor == text.size()) {
        out.cursor_row = out.rows.size();
        out.cursor_column = now.width;
    }
    out.rows.push_back(now);
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
    columns_ = std::max(columns == 0 ? default_columns : columns, fewest_columns);
    rows_ = std::max<std::size_t>(rows == 0 ? default_rows : rows, 2);
}

void line_editor_view::erase(std::string& out) {
    if (drawn_.empty()) return;
    append_move(out, rows_to(cursor_row_, cursor_column_), 'A');
    out += "\r\x1b[J";
    forget();
}

void line_editor_view::draw(std::string& out, std::string_view prompt, const line_editor& line) {
    std::u32string all;
    const auto add = [&all](std::u32string_view text) {
        for (const char32_t c : text) all += shown_for(c);
    };
    if (line.searching()) {
        all = U"(search: ";
        add(line.wanted());
        all += U") ";
    } else {
        all.assign(prompt.begin(), prompt.end());
    }
    const std::size_t before = all.size();
    add(line.text());

    const auto where = lay_out(all, before + line.cursor(), columns_ - 1);
    const std::size_t room = rows_ - 1;
    const std::size_t first = where.cursor_row < room ? 0 : where.cursor_row - room + 1;
    const std::size_t last = std::min(where.rows.size(), first + room);
    for (std::size_t i = first; i < last; ++i) {
        if (i > first) out += "\r\n";
        for (std::size_t at = where.rows[i].from; at < where.rows[i].to; ++at) {
            append_utf8(out, all[at]);
        }
        drawn_.push_back(where.rows[i].width);
    }
    cursor_row_ = where.cursor_row - first;
    cursor_column_ = where.cursor_column;
    append_move(out, drawn_.size() - 1 - cursor_row_, 'A');
    // Where the cursor stands after the last character it need not be moved.
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
    // At the very end of a full row a terminal does not wrap before the next character.
    const bool at_the_end = column > 0 && column == drawn_[row];
    return rows + (at_the_end ? (column - 1) / columns_ : column / columns_);
}

}  // namespace sluice::term
