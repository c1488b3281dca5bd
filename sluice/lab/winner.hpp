// Which variant to choose, of what a plan has measured.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// The variant that was the fastest over all cases of `plan`, by the mean of the logarithms of its
/// medians; of those that are level with it in every case, the one whose server used the least CPU.
/// Empty where nothing was measured. A variant that a case lacks cannot win.
[[nodiscard]] std::optional<std::string> winner_of(const results& found, std::string_view plan);

}  // namespace sluice::lab
