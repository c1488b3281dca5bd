// Ways to get a part of one file into another.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/transfer/moved.hpp"

namespace sluice::transfer {

/// Every way, each with how often the CPU copies a byte between two files in the page cache.
enum class copy : std::uint8_t {
    automatic,   ///< copy_range, and read_write where the kernel has no way between the two files
    read_write,  ///< two copies: into our memory, and out of it
    mmap_write,  ///< one: out of the page cache, which is mapped
    sendfile,    ///< one: through a pipe inside the kernel, a few pages a time
    splice,      ///< one: through a pipe of ours, a megabyte a time
    copy_range,  ///< one, or none where the file system lets both files have the same blocks
    direct,      ///< none: from disk to our memory to disk, past the page cache (O_DIRECT)
    uring,       ///< two: eight reads and writes at a time under io_uring, one by one elsewhere
};
/// Every strategy with its name on the command line.
inline constexpr std::array<std::pair<std::string_view, copy>, 8> copy_names{
    {{"auto", copy::automatic},
     {"read-write", copy::read_write},
     {"mmap-write", copy::mmap_write},
     {"sendfile", copy::sendfile},
     {"splice", copy::splice},
     {"copy-range", copy::copy_range},
     {"direct", copy::direct},
     {"uring", copy::uring}}};
[[nodiscard]] std::string_view to_text(copy how) noexcept;

/// A part of one file, and the file where it goes to the same place.
struct copied_part {
    int from = -1;
    int to = -1;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

/// Copies `what`, which has `here`'s thread for as long as it takes, but for `uring` on io_uring:
/// offload it from a loop. fault::ended where the source is shorter; ENOSPC, EDQUOT, EFBIG or EIO,
/// after which what the target holds is not known; EINVAL for `direct` where a file system has no
/// such way, and for a target that `sendfile` or `splice` cannot write to, as one opened with
/// O_APPEND. `sendfile` moves the target's file position. Not synced.
[[nodiscard]] coro::task<result<void>> copy_file(copy how, io::engine& here, copied_part what,
                                                 moved& told);

}  // namespace sluice::transfer
