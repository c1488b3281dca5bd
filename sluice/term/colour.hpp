// What the terminal may be given.
#pragma once

#include <cstdio>

namespace sluice::term {

/// True if colour may be written to `stream`: it is a terminal, which is not `dumb`, and NO_COLOR
/// is unset or empty (no-color.org).
[[nodiscard]] bool may_colour(std::FILE* stream) noexcept;

}  // namespace sluice::term
