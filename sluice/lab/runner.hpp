// Runs the rounds of all cases in random order until the medians are precise or time is up.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "sluice/io/timer.hpp"
#include "sluice/lab/noise.hpp"
#include "sluice/lab/plan.hpp"
#include "sluice/lab/progress.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/settings.hpp"

namespace sluice::lab {

/// How many rounds a case has, and how long all cases together may take.
struct limits {
    std::size_t fewest = 3;  ///< rounds per case, unless `longest` is over
    std::size_t most = 30;
    std::size_t repeated = 0;                   ///< disturbed rounds that a case may repeat
    std::chrono::duration<double> usual{60};    ///< after it no case gets more than `fewest`
    std::chrono::duration<double> longest{90};  ///< no round but the first ends after it
};
/// Limits for the run length. `cases` is the number of cases; few cases get less time.
[[nodiscard]] limits limits_of(const settings& config, std::size_t cases);

/// A clock; tests replace it.
using time_source = std::function<io::time_point()>;

/// A round measures every variant of a case once, in random order. The cases take turns until each
/// is precise or time is up. Before its first round a case runs one variant without counting it, to
/// wake cores and warm caches. A round that `monitor` finds disturbed is set aside and repeated; if
/// too few undisturbed rounds follow, the least disturbed ones count after all. Fills in the cases,
/// warnings and `interrupted` of `into`; an `interruption` must exist to stop it. The error, a
/// sentence without its full stop, says why nothing could be measured.
[[nodiscard]] std::expected<void, std::string> measure(std::vector<planned_case>& cases,
                                                       const limits& within, const settings& config,
                                                       progress& display, noise& monitor,
                                                       results& into,
                                                       const time_source& now = io::clock::now);

}  // namespace sluice::lab
