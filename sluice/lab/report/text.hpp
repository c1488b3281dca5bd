// Writes a run as text tables for a terminal, with its findings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// The variant that the others of a case are compared to.
enum class baseline : std::uint8_t {
    first,  ///< the first variant of the case, by convention the classic way
    best,   ///< the variant with the best median
};

/// The capabilities of the terminal.
struct text_form {
    std::size_t columns = 80;  ///< maximum width of lines if possible; at least 40
    bool unicode = false;      ///< block elements for bars; else '#'
    bool colour = false;       ///< use SGR colour sequences
    bool bars = true;
    /// findings at the end, which a terminal shows; else at the beginning
    bool answers_last = false;
    baseline base = baseline::first;
};

/// Sentences on the rounds that were disturbed, dropped or repeated; empty if none was.
[[nodiscard]] std::string told_rounds(const round_count& of);

/// Findings, a table per case, the environment and the warnings. Text from outside is escaped for a
/// terminal.
[[nodiscard]] std::string as_text(const results& found, const text_form& form = {});

}  // namespace sluice::lab
