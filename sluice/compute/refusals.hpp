// Defines the replies by which a compute server refuses a question, for server and client.
#pragma once

#include <string_view>

/// Lines sent instead of an answer.
namespace sluice::compute::refusal {
inline constexpr std::string_view not_a_number = "not a number";
inline constexpr std::string_view out_of_range = "out of range";
inline constexpr std::string_view too_long = "too long";
inline constexpr std::string_view busy = "busy";      ///< the queue of waiting questions is full
inline constexpr std::string_view late = "late";      ///< the wait was longer than the deadline
inline constexpr std::string_view failed = "failed";  ///< the handler failed
}  // namespace sluice::compute::refusal
