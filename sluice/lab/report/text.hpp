// A run as tables for a terminal, with the answers on top.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// What the other variants of a case are compared to.
enum class baseline : std::uint8_t {
    first,  ///< the first variant of the case, the classic way by custom
    best,   ///< the one with the best median
};

/// What the reader's terminal can show.
struct text_form {
    std::size_t columns = 80;  ///< lines are no longer where that can be had; at least 40
    bool unicode = false;      ///< bars of block elements; else of '#'
    bool colour = false;       ///< SGR sequences
    bool bars = true;
    bool answers_last = false;  ///< where the end is what one sees; else they come first
    baseline base = baseline::first;
};

/// The answers, a table for each case, the environment in a line, and the warnings; or the answers
/// behind all these. What came from
/// outside is escaped for a terminal.
[[nodiscard]] std::string as_text(const results& found, const text_form& form = {});

}  // namespace sluice::lab
