// Tells how often the CPU copies each byte, by strategy.
#pragma once

#include <string_view>

#include "sluice/transfer/copy.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::lab {

/// CPU copies per byte by design of a strategy, not measured; copies of the peer are not included.
struct cpu_copies {
    double a_byte = 0;          ///< CPU copies per byte
    std::string_view in_words;  ///< a sentence
};

/// Between two files that do not share extents.
[[nodiscard]] cpu_copies copies_of(transfer::copy how) noexcept;
/// From the page cache to a socket on loopback.
[[nodiscard]] cpu_copies copies_of(transfer::to_socket how) noexcept;
/// From a socket into the page cache.
[[nodiscard]] cpu_copies copies_of(transfer::to_file how) noexcept;

}  // namespace sluice::lab
