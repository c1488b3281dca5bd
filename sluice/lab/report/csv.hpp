// Writes a run as CSV, a row per sample.
#pragma once

#include <string>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A table for programs (RFC 4180, with a header, UTF-8, lines ended by CR LF): a row per sample of
/// each series, per latency percentile (quantity "latency", its share in `share`) and per count of
/// errors, disturbed or repeated rounds. A cell that a spreadsheet would take for a formula gets a
/// leading apostrophe, unless it is a number. A value that is not finite is an empty cell.
[[nodiscard]] std::string as_csv(const results& found);

}  // namespace sluice::lab
