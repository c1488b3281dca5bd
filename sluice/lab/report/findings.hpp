// Derives findings, as sentences, from the samples of a run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A finding.
struct answer {
    std::string plan;      ///< "download"
    std::string place;     ///< the case or line: "warm, 1 client"; may be empty
    std::string sentence;  ///< complete, with its full stop; follows "place: "
    std::string headline;  ///< its figure: "2.11 x"; empty: none
    double ratio = 1;      ///< the headline's value; 1: none
};

/// Findings in the order of the plans and their cases: the variants ahead of the baseline and by
/// how much, ties with their bounds, comparisons without a result, the speed of a warm cache over a
/// cold one, and the best variants along an axis.
[[nodiscard]] std::vector<answer> answers_of(const results& found, baseline base);

/// The plans of the cases, each once, in order of appearance; views into `found`.
[[nodiscard]] std::vector<std::string_view> plans_of(const results& found);

}  // namespace sluice::lab
