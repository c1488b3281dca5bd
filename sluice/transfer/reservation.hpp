// Room on the disk for a file that is still growing.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice::transfer {

/// Reserves room ahead of what is written (fallocate(2)): the writes find their blocks laid out,
/// which made them 1.2 to 1.3 times as fast. As much ahead as has come, so that a peer that sends
/// little holds little. Where the file system cannot do that, nothing happens. Does not change the
/// file's size.
class reservation {
 public:
    /// The most that is reserved ahead at a time, in bytes.
    static constexpr std::uint64_t step = std::uint64_t{64} << 20;
    /// Of what is free on the disk, no more than this part of it is reserved ahead.
    static constexpr std::uint64_t share = 16;

    struct limits {
        std::uint64_t begin = 0;  ///< what was in the file before anything came
        /// The size of the whole file, if that is known.
        std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
        /// Asked before there is room for a file of so many bytes, also where nothing can be
        /// reserved: a quota, which fails as it likes. Must not throw.
        std::function<result<void>(std::uint64_t)> claim = {};
    };

    /// `file` stays the caller's. With `on` false nothing is reserved on the disk.
    reservation(int file, bool on) noexcept : file_{file}, on_{on} {}
    reservation(int file, bool on, limits l) noexcept
        : file_{file}, on_{on}, limits_{std::move(l)}, covered_{limits_.begin} {}

    /// There is room up to `end`, and for a while beyond if `more` may come. ENOSPC, EDQUOT, EFBIG.
    [[nodiscard]] result<void> cover(std::uint64_t end, bool more) noexcept;
    /// Gives back what lies behind `end`, the file's size from now on (ftruncate(2)).
    [[nodiscard]] result<void> finish(std::uint64_t end) noexcept;

 private:
    [[nodiscard]] std::uint64_t ahead_of(std::uint64_t end) const noexcept;
    [[nodiscard]] result<void> take(std::uint64_t end) noexcept;

    int file_;
    bool on_;
    limits limits_;
    std::uint64_t covered_ = 0;
};

}  // namespace sluice::transfer
