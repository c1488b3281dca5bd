// Draws the numbers of `sluice top` into lines of a window.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cli/top/summary.hpp"

namespace sluice::cli::top {

/// A window, and what is drawn in it.
struct view_options {
    std::size_t columns = 80;
    std::size_t rows = 0;  ///< 0: as many as there are
    bool colour = false;
    bool keys = false;  ///< the last line says which keys there are
};

/// The lines of a window, at most `rows`, each at most `columns` wide without its colours: the
/// server at `where`, and the last numbers if there are any. `message` says that the server is
/// gone; it is empty while it is not. All text of the server is made safe for a terminal.
[[nodiscard]] std::vector<std::string> draw(std::string_view where,
                                            const std::optional<summary>& shown,
                                            std::string_view message, const view_options& o);

}  // namespace sluice::cli::top
