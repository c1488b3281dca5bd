// Writes a run as one self-contained HTML page.
#pragma once

#include <string>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A complete HTML document in UTF-8: findings, plots, tables, commands, environment, warnings,
/// method. It contains no script and fetches nothing, and its Content-Security-Policy forbids both,
/// so a hostile name in a report remains text.
[[nodiscard]] std::string as_html(const results& found, baseline base = baseline::first);

}  // namespace sluice::lab
