// Compares two runs of the lab: changes beyond the noise.
#pragma once

#include <string>
#include <vector>

#include "sluice/lab/results.hpp"
#include "sluice/lab/statistics.hpp"

namespace sluice::lab {

/// One quantity of one variant in one case, before and after.
struct change {
    std::string plan;
    std::string name;  ///< name of the case
    std::string variant;
    std::string quantity;
    std::string unit;
    estimate before;
    estimate after;
    comparison found;  ///< `after` to `before`, unpaired

    /// Whether it became worse beyond the noise and by more than `threshold` (a share).
    [[nodiscard]] bool regressed(double threshold) const noexcept;
};

/// A fact whose value differs between the runs; an empty value: that run does not have the fact.
struct difference {
    fact before;
    fact after;
};

struct changes {
    std::vector<change> all;               ///< quantities of both runs, in the order of the first
    std::vector<difference> mismatches;    ///< differing facts with must_match
    std::vector<difference> differences;   ///< the other differing facts
    std::vector<std::string> only_before;  ///< "download, warm, 1 client: sendfile"
    std::vector<std::string> only_after;
};

/// Compares every quantity that has a better direction and whose plan, case, variant, name and unit
/// occur in both runs. The chance that noise within the runs shows any change is kept at 5 %
/// (Bonferroni); the variation from run to run cannot be known from two runs.
[[nodiscard]] changes compare_runs(const results& before, const results& after);

}  // namespace sluice::lab
