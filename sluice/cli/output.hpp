// Results go to stdout, and what stdout does not take is noticed.
#pragma once

#include <functional>
#include <string_view>

namespace sluice::cli {

/// Writes `text` to stdout, buffered. An error is kept for finish_output().
void print(std::string_view text);

/// Gives lines to stdout, each whole and at once, from any thread or process; one that nobody is
/// left to read is lost. With `quiet`, drops them.
[[nodiscard]] std::function<void(std::string_view)> lines_to_stdout(bool quiet);

/// Flushes stdout. The errno of the first write that failed since the program began, or 0.
[[nodiscard]] int finish_output();

}  // namespace sluice::cli
