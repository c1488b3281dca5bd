// Drops the capabilities of a process (capabilities(7)).
#pragma once

#include <cstdint>

#include "sluice/base/result.hpp"

namespace sluice::sandbox {

/// The bit of a capability, such as CAP_DAC_OVERRIDE.
[[nodiscard]] constexpr std::uint64_t bit_of(int capability) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(capability);
}

/// Takes all capabilities from the calling thread but those of `keep` that it has, for good: also
/// from the programs that it starts. Threads that it starts have what it has. The errno of
/// capget(2) or capset(2).
[[nodiscard]] result<void> drop_capabilities(std::uint64_t keep = 0) noexcept;

/// True if the calling thread may use that capability.
[[nodiscard]] bool has_capability(int capability) noexcept;

}  // namespace sluice::sandbox
