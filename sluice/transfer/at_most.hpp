// How much of a file fits into one step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace sluice::transfer {

/// The bytes of a step of at most `most` where `left` are left: what fits into a call.
[[nodiscard]] inline std::size_t at_most(std::uint64_t left, std::size_t most) noexcept {
    return static_cast<std::size_t>(std::min<std::uint64_t>(left, most));
}

}  // namespace sluice::transfer
