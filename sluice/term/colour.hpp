// Declares may_colour(), which tests whether a stream is a terminal that shows colour.
#pragma once

#include <cstdio>

namespace sluice::term {

/// True if `stream` is a terminal other than `dumb` and NO_COLOR is unset or empty
/// (no-color.org).
[[nodiscard]] bool may_colour(std::FILE* stream) noexcept;

}  // namespace sluice::term
