// Strategies that copy a part of a file into another file.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/transfer/byte_counter.hpp"

namespace sluice::transfer {

/// The strategies, each with how often the CPU copies a byte between two files in the page cache.
enum class copy : std::uint8_t {
    automatic,   ///< copy_range, or read_write where the kernel cannot copy between the two files
    read_write,  ///< two copies: into a user buffer, and out of it
    mmap_write,  ///< one: from the mapped page cache
    sendfile,    ///< one: through a pipe inside the kernel, a few pages at a time
    splice,      ///< one: through a pipe of ours, a megabyte at a time
    copy_range,  ///< one, or none where the file system shares blocks
    direct,      ///< none: from disk to a user buffer to disk, past the page cache (O_DIRECT)
    uring,       ///< two: eight reads and writes in flight under io_uring, one by one elsewhere
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
/// The name of a strategy on the command line.
[[nodiscard]] std::string_view to_text(copy how) noexcept;

/// A part of the file `from`; it goes to the same offset of the file `to`.
struct copied_part {
    int from = -1;             ///< a descriptor open for reading; not owned
    int to = -1;               ///< a descriptor open for writing; not owned
    std::uint64_t offset = 0;  ///< of the first byte, in both files
    std::uint64_t length = 0;  ///< in bytes
};

/// Copies `what`. Blocks the engine's thread meanwhile, except `uring` on io_uring: a caller on an
/// event loop offloads it. fault::ended if the source is shorter; ENOSPC, EDQUOT, EFBIG or EIO,
/// after which the content of the target is unknown; EINVAL for `direct` where a file system does
/// not support it, and for a target that `sendfile` or `splice` cannot write to, such as one opened
/// with O_APPEND. `sendfile` moves the target's file position. Does not sync.
[[nodiscard]] coro::task<result<void>> copy_file(copy how, io::engine& engine, copied_part what,
                                                 byte_counter& counter);

}  // namespace sluice::transfer
