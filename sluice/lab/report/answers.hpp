// What a run says in sentences, each derived from its samples.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// One finding.
struct answer {
    std::string plan;      ///< "download"
    std::string place;     ///< the case or the line it is about: "warm, 1 client"; may be empty
    std::string sentence;  ///< whole, with its full stop, for after "place: "
    std::string headline;  ///< the figure it is about: "2.11 x"; empty where there is none to show
    double ratio = 1;      ///< what the headline shows; 1: none
};

/// In the order of the plans and their cases: who is ahead of the baseline and by how much, what
/// makes no difference and within how much, what cannot be told, what a warm cache is worth beside
/// a cold one, and who wins where on an axis.
[[nodiscard]] std::vector<answer> answers_of(const results& found, baseline base);

/// The plans of the cases, each once, in order of appearance; views of `found`.
[[nodiscard]] std::vector<std::string_view> plans_of(const results& found);

}  // namespace sluice::lab
