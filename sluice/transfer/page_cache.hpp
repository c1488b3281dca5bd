// Whether a file lies in the page cache, and how to get it in and out.
#pragma once

#include <cstdint>

#include "sluice/base/result.hpp"

namespace sluice::transfer {

/// How many bytes of the file are in the page cache, in whole pages: cachestat(2) where there is
/// one (Linux 6.5), else mincore(2), which since Linux 5.2 tells the truth to owners of a file
/// alone and says "all of it" to others. An errno of theirs.
[[nodiscard]] result<std::uint64_t> cached_bytes(int file) noexcept;

/// Writes out what is not on the disk yet, and asks the kernel to forget the rest
/// (posix_fadvise(2), POSIX_FADV_DONTNEED). It need not: pages that somebody has mapped or locked
/// stay, and a file in memory (tmpfs) has no other place. cached_bytes() has the truth.
[[nodiscard]] result<void> make_cold(int file) noexcept;

/// Reads all of the file.
[[nodiscard]] result<void> make_warm(int file) noexcept;

/// Empties every cache of the machine, as far as nothing in it waits to be written
/// (/proc/sys/vm/drop_caches, proc(5)). EACCES for everybody but root.
[[nodiscard]] result<void> drop_caches() noexcept;

}  // namespace sluice::transfer
