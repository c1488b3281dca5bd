// Results go to stdout, and what stdout does not take is noticed.
#pragma once

#include <string_view>

namespace sluice::cli {

/// Writes `text` to stdout, buffered. An error is kept for finish_output().
void print(std::string_view text);

/// Flushes stdout. The errno of the first write that failed since the program began, or 0.
[[nodiscard]] int finish_output();

}  // namespace sluice::cli
