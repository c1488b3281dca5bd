// Limits a step of a transfer to the size of a call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace sluice::transfer {

/// The smaller of `left` and `most`, in bytes: the size of the next step.
[[nodiscard]] inline std::size_t at_most(std::uint64_t left, std::size_t most) noexcept {
    return static_cast<std::size_t>(std::min<std::uint64_t>(left, most));
}

}  // namespace sluice::transfer
