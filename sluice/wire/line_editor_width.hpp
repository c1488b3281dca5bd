// How many columns of a terminal a character takes.
#pragma once

#include <cstddef>

namespace sluice::wire {

/// 0 for a mark that joins the character before it, 2 for a wide one, else 1: what wcwidth(3) says
/// in the locale C.UTF-8, whatever the locale of the program is. 1 for what it does not know.
[[nodiscard]] std::size_t columns_of(char32_t c) noexcept;

/// Whether `c` belongs to the character before it: a mark without a column of its own.
[[nodiscard]] inline bool joins_the_one_before(char32_t c) noexcept {
    return columns_of(c) == 0;
}

}  // namespace sluice::wire
