// Room on the disk for a file that is still growing.
#pragma once

#include <cstdint>

#include "sluice/base/result.hpp"

namespace sluice::transfer {

/// Reserves room ahead of what is written (fallocate(2)): a full disk is found out before the bytes
/// have travelled, and the writes find their blocks laid out, which made them 1.2 to 1.3 times as
/// fast. Where the file system cannot do that, nothing happens. Does not change the file's size.
class reservation {
 public:
    /// What is reserved at a time where the length is not known.
    static constexpr std::uint64_t step = std::uint64_t{64} << 20;

    /// `file` stays the caller's. With `on` false it does nothing.
    reservation(int file, bool on) noexcept : file_{file}, on_{on} {}

    /// There is room up to `end`, and for a while beyond if `more` may come. ENOSPC, EDQUOT, EFBIG.
    [[nodiscard]] result<void> cover(std::uint64_t end, bool more) noexcept;
    /// Gives back what lies behind `end`, the file's size from now on (ftruncate(2)).
    [[nodiscard]] result<void> finish(std::uint64_t end) noexcept;

 private:
    int file_;
    bool on_;
    std::uint64_t covered_ = 0;
};

}  // namespace sluice::transfer
