// The sentences by which a compute server refuses a question, and by which its client knows it.
#pragma once

#include <string_view>

namespace sluice::compute {

/// A line that stands where the answer would: the question has none.
namespace refusal {
inline constexpr std::string_view not_a_number = "not a number";
inline constexpr std::string_view out_of_range = "out of range";
inline constexpr std::string_view too_long = "too long";
inline constexpr std::string_view busy = "busy";      ///< as many wait as may wait
inline constexpr std::string_view late = "late";      ///< it waited for longer than the deadline
inline constexpr std::string_view failed = "failed";  ///< what should answer broke
}  // namespace refusal

}  // namespace sluice::compute
