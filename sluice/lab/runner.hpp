// Takes the samples: interleaved, in random order, until they are precise enough or time is up.
#pragma once

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "sluice/lab/noise.hpp"
#include "sluice/lab/plan.hpp"
#include "sluice/lab/progress.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/settings.hpp"

namespace sluice::lab {

/// How many rounds each case has, and how long all of them together may take.
struct limits {
    std::size_t fewest = 3;  ///< rounds, unless time is up for good
    std::size_t most = 30;
    std::size_t repeated = 0;  ///< at most so many rounds of a case that were disturbed
    std::chrono::duration<double> usual{60};    ///< after which no case gets more than the fewest
    std::chrono::duration<double> longest{90};  ///< after which no round ends, but for the first
};
/// `cases` is how many there are; a plan alone gets less time than all of them together.
[[nodiscard]] limits limits_of(const settings& asked, std::size_t cases);

/// What tells the time; a test moves its own.
using time_source = std::function<std::chrono::steady_clock::time_point()>;

/// Each round measures every variant of a case once, in an order of its own. The cases take turns,
/// a round each, until a case is precise or time is up. Before its first round one variant is
/// measured for nothing, which wakes cores and warms caches. A round that `around` says was
/// disturbed is put aside and another measured; where too few others were to be had, the least
/// disturbed of them count after all. Fills in cases and warnings of `into`, and whether it was
/// interrupted (there is an `interruption`). The error, a sentence without its full stop, is why
/// nothing at all could be measured.
[[nodiscard]] std::expected<void, std::string> measure(
    std::vector<planned_case>& cases, const limits& within, const settings& asked, progress& told,
    noise& around, results& into, const time_source& now = std::chrono::steady_clock::now);

}  // namespace sluice::lab
