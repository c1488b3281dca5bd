// Two runs side by side: what changed beyond the noise.
#pragma once

#include <string>
#include <vector>

#include "sluice/lab/results.hpp"
#include "sluice/lab/statistics.hpp"

namespace sluice::lab {

/// One quantity of one variant in one case, before and after.
struct change {
    std::string plan;
    std::string name;  ///< of the case
    std::string variant;
    std::string quantity;
    std::string unit;
    estimate before;
    estimate after;
    comparison found;  ///< of after to before; rounds of two runs are no pairs

    /// It became worse, beyond the noise, by more than `threshold` (a share).
    [[nodiscard]] bool regressed(double threshold) const noexcept;
};

/// A fact that is not the same in both runs; empty: not told there.
struct difference {
    fact before;
    fact after;
};

struct changes {
    std::vector<change> all;               ///< what both have, in the order of the first
    std::vector<difference> mismatches;    ///< of facts that must match
    std::vector<difference> differences;   ///< of those that need not
    std::vector<std::string> only_before;  ///< "download, warm, 1 client: sendfile"
    std::vector<std::string> only_after;
};

/// Compares all quantities of which more is better or worse, wherever plan, case, variant, name and
/// unit are the same. The chance that noise within the runs makes any of them a change is kept at
/// 5 %; what differs from one run to the next as a whole is not known from two of them.
[[nodiscard]] changes compare_runs(const results& before, const results& after);

}  // namespace sluice::lab
