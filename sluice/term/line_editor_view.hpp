// Where a line that is being typed stands on the screen: draws it, and takes it away again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/term/line_editor.hpp"

namespace sluice::term {

/// Draws a line_editor at the bottom of what a terminal shows, with what ECMA-48 has for it: CR,
/// CUU, CUF, ED. It takes as many rows as it needs, up to all but one of the window; of one that
/// needs more, the part around the cursor is shown. Each row ends one column before the window
/// does, so that it does not matter when a terminal wraps. Does no I/O.
///
///     view.erase(out);                // the screen is as if nobody had typed
///     out += "[bob]: hello\r\n";
///     view.draw(out, "> ", editor);
class line_editor_view {
 public:
    static constexpr std::size_t default_columns = 80;
    static constexpr std::size_t default_rows = 24;

    /// The window has this many columns and rows now; 0 if nobody knows. What was drawn for another
    /// width is taken to be wrapped anew by the terminal, as most do.
    void resize(std::size_t columns, std::size_t rows) noexcept;

    /// Takes what was drawn away. The cursor then stands at the beginning of its first row.
    void erase(std::string& out);
    /// Draws `prompt` (ASCII without controls) and the line, from the beginning of a row whose rest
    /// is free, and leaves the cursor in its place. Nothing may be drawn.
    void draw(std::string& out, std::string_view prompt, const line_editor& line);
    /// What was drawn stays for good, and the cursor goes to the row below it.
    void keep(std::string& out);
    /// What was drawn is no longer there, and the cursor stands at the beginning of a free row.
    void forget() noexcept;

 private:
    /// How far below the first row that was drawn, as the window is now.
    [[nodiscard]] std::size_t rows_to(std::size_t row, std::size_t column) const noexcept;

    std::size_t columns_ = default_columns;
    std::size_t rows_ = default_rows;
    std::vector<std::size_t> drawn_;  // the width of each row
    std::size_t cursor_row_ = 0;
    std::size_t cursor_column_ = 0;
};

/// Appends a character of the line as it is drawn: a line end as an arrow, a tab as a space, and
/// what a terminal must not be given (wire::is_printable) as U+FFFD.
void append_shown(std::string& out, char32_t c);

}  // namespace sluice::term
