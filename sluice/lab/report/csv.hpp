// A run as CSV: a row a sample.
#pragma once

#include <string>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A table for programs (RFC 4180, with a header, UTF-8, lines ended by CR LF): a row for each
/// sample of each series, for each percentile of a latency (quantity "latency", its share in
/// `share`) and for each count of errors. Cells that begin as a formula of a spreadsheet would are
/// given a leading apostrophe, numbers excepted. What is no number is an empty cell.
[[nodiscard]] std::string as_csv(const results& found);

}  // namespace sluice::lab
