// Short name of std::memory_order_relaxed.
#pragma once

#include <atomic>

namespace sluice {

/// For counters of several threads that order no other memory.
inline constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace sluice
