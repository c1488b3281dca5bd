// Selects the best variant of a plan from the lab's results.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// The variant with the highest rate over all cases of `plan`, by the mean of the logarithms of its
/// medians. Among variants whose rates tie with it in every case, the one whose server used the
/// least CPU. Empty if nothing was measured. A variant that is missing from a case cannot win.
[[nodiscard]] std::optional<std::string> best_variant_of(const results& found,
                                                         std::string_view plan);

}  // namespace sluice::lab
