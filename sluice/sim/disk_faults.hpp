// How often the simulated disk does each thing that a program must survive.
#pragma once

#include "sluice/sim/random.hpp"

namespace sluice::sim {

/// A probability for each class of fault, per call; 0 is off.
struct disk_faults {
    double short_write = 0;       ///< write(2) writes a part
    double short_read = 0;        ///< read(2) returns a part of what there is
    double no_space = 0;          ///< ENOSPC of a call that needs space, although there is some
    double over_quota = 0;        ///< EDQUOT of the same
    double failed_read = 0;       ///< EIO
    double failed_write = 0;      ///< EIO of write(2), of which a part was written
    double failed_sync = 0;       ///< EIO of a sync: dirty pages are clean, and not on the disk
    double slow_sync = 0;         ///< a sync takes up to 1 s
    double false_free_space = 0;  ///< fstatvfs(2) reports any free space
    double foreign_change = 0;    ///< another program changes a file that is being read

    /// Each class is on with probability 1/2, at a rate drawn log-uniformly up to its bound;
    /// foreign_change is off, for most promises do not hold with it.
    [[nodiscard]] static disk_faults draw(random& from) noexcept;
};

}  // namespace sluice::sim
