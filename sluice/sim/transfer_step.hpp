// One step of moving bytes between two descriptions, for splice(2) and its like.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "sluice/sim/description.hpp"

namespace sluice::sim {

/// Moves at most `count` bytes in one step, from and to the given places, which move on; null: the
/// positions of the descriptions. -EAGAIN if the source has nothing, or the target no space.
[[nodiscard]] ssize_t move_once(description& from, off_t* from_at, description& to, off_t* to_at,
                                std::size_t count) noexcept;

}  // namespace sluice::sim
