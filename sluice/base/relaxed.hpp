// Counters that order nothing else.
#pragma once

#include <atomic>

namespace sluice {

/// For a number that threads count with, and that says nothing about other memory
/// (std::memory_order_relaxed).
inline constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace sluice
