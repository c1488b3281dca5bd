// Tests whether a descriptor is a terminal, and whether a stream is one that shows colour.
#pragma once

#include <cstdio>

namespace sluice::term {

/// True if `fd` is a terminal other than `dumb`, which cannot move its cursor.
[[nodiscard]] bool is_terminal(int fd) noexcept;

/// True if `stream` is a terminal other than `dumb` and NO_COLOR is unset or empty
/// (no-color.org).
[[nodiscard]] bool may_colour(std::FILE* stream) noexcept;

}  // namespace sluice::term
