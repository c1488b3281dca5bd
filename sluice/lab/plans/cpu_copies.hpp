// How often the CPU copies a byte on its way, by strategy.
#pragma once

#include <string_view>

#include "sluice/transfer/copy.hpp"
#include "sluice/transfer/to_file.hpp"
#include "sluice/transfer/to_socket.hpp"

namespace sluice::lab {

/// What a strategy has the CPU do with each byte by design; nobody counts it while it is done. What
/// the other side of a connection copies is not in it.
struct cpu_copies {
    double a_byte = 0;          ///< copies of each
    std::string_view in_words;  ///< a sentence
};

/// Between two files, where they do not share blocks.
[[nodiscard]] cpu_copies copies_of(transfer::copy how) noexcept;
/// From the page cache to a socket on loopback.
[[nodiscard]] cpu_copies copies_of(transfer::to_socket how) noexcept;
/// From a socket into the page cache.
[[nodiscard]] cpu_copies copies_of(transfer::to_file how) noexcept;

}  // namespace sluice::lab
