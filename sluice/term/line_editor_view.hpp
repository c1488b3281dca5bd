// Defines line_editor_view, which draws and erases the edited line at the bottom of a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/term/line_editor.hpp"

namespace sluice::term {

/// Draws a line_editor at the bottom of a terminal with ECMA-48 controls: CR, CUU, CUF, ED. Uses up
/// to all rows of the window but one; of a longer line it shows the part around the cursor. Each
/// row ends one column before the window does, so that it does not matter when a terminal wraps.
/// Does no I/O.
///
///     view.erase(out);                // the screen without the edited line
///     out += "[bob]: hello\r\n";
///     view.draw(out, "> ", editor);
class line_editor_view {
 public:
    static constexpr std::size_t default_columns = 80;
    static constexpr std::size_t default_rows = 24;

    /// Sets the size of the window; 0 if unknown. Assumes that the terminal rewraps what was drawn
    /// for another width, as most do.
    void resize(std::size_t columns, std::size_t rows) noexcept;

    /// Erases what was drawn and leaves the cursor at the beginning of its first row.
    void erase(std::string& out);
    /// Draws `prompt` (ASCII without controls) and the line, and leaves the cursor in its place.
    /// Requires the cursor at the beginning of a free row, and nothing drawn.
    void draw(std::string& out, std::string_view prompt, const line_editor& line);
    /// Leaves what was drawn on the screen and moves the cursor to the row below it.
    void keep(std::string& out);
    /// For a screen where nothing is drawn and the cursor is at the beginning of a free row.
    void forget() noexcept;

 private:
    /// Rows from the first drawn row to a drawn position, at the current width.
    [[nodiscard]] std::size_t rows_to(std::size_t row, std::size_t column) const noexcept;

    std::size_t columns_ = default_columns;
    std::size_t rows_ = default_rows;
    std::vector<std::size_t> drawn_;  // the width of each row, in columns
    std::size_t cursor_row_ = 0;
    std::size_t cursor_column_ = 0;
};

/// Appends a character as the view draws it: a line end as an arrow, a tab as a space, and an
/// unprintable character (wire::is_printable) as U+FFFD.
void append_shown(std::string& out, char32_t c);

}  // namespace sluice::term
