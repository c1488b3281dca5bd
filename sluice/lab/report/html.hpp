// A run as a page: one file that needs nothing else.
#pragma once

#include <string>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A whole HTML document in UTF-8: answers, plots, tables, commands, environment, warnings, method.
/// It has no script and fetches nothing, and says so to the browser (Content-Security-Policy), so a
/// hostile name in a report is text and nothing else.
[[nodiscard]] std::string as_html(const results& found, baseline base = baseline::first);

}  // namespace sluice::lab
