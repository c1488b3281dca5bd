// Reserves disk space for a growing file (fallocate(2)).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice::transfer {

/// Reserves disk space ahead of the writes (fallocate(2)), which find their blocks allocated and
/// are 1.2 to 1.3 times as fast. Reserves as much ahead as has arrived, so that a peer that sends
/// little holds little. Does nothing where the file system cannot reserve. Does not change the
/// file's size.
class reservation {
 public:
    /// The most that is reserved ahead at a time, in bytes.
    static constexpr std::uint64_t step = std::uint64_t{64} << 20;
    /// At most 1/`share` of the free disk space is reserved ahead.
    static constexpr std::uint64_t share = 16;

    struct limits {
        std::uint64_t begin = 0;  ///< bytes in the file before the transfer
        /// The size of the whole file, if known.
        std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
        /// Called before space is reserved for a file of so many bytes, also where nothing can be
        /// reserved: a quota, with errors of its own. Must not throw.
        std::function<result<void>(std::uint64_t)> claim = {};
    };

    /// The caller owns `file`. With `on` false no disk space is reserved.
    reservation(int file, bool on) noexcept : file_{file}, on_{on} {}
    reservation(int file, bool on, limits l) noexcept
        : file_{file}, on_{on}, limits_{std::move(l)}, covered_{limits_.begin} {}

    /// Reserves space up to `end`, and beyond if `more` may come. ENOSPC, EDQUOT, EFBIG; errors of
    /// `claim`.
    [[nodiscard]] result<void> cover(std::uint64_t end, bool more) noexcept;
    /// Releases the space beyond `end`, the final size of the file (ftruncate(2)).
    [[nodiscard]] result<void> finish(std::uint64_t end) noexcept;

 private:
    [[nodiscard]] std::uint64_t target_for(std::uint64_t end) const noexcept;
    [[nodiscard]] result<void> reserve_to(std::uint64_t end) noexcept;

    int file_;
    bool on_;
    limits limits_;
    std::uint64_t covered_ = 0;
};

}  // namespace sluice::transfer
