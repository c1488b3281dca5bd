// Measures how much of a file is in the page cache, and loads or evicts it.
#pragma once

#include <cstdint>

#include "sluice/base/result.hpp"

namespace sluice::transfer {

/// Bytes of the file in the page cache, in whole pages: from cachestat(2) (Linux 6.5), else from
/// mincore(2), which since Linux 5.2 tells only owners of a file the truth and reports all pages to
/// others. An errno of theirs.
[[nodiscard]] result<std::uint64_t> cached_bytes(int file) noexcept;

/// Writes dirty pages to the disk, and asks the kernel to evict the file (posix_fadvise(2),
/// POSIX_FADV_DONTNEED). The kernel need not: mapped or locked pages stay, as do those of a file in
/// memory (tmpfs). cached_bytes() tells.
[[nodiscard]] result<void> make_cold(int file) noexcept;

/// Reads the whole file into the page cache.
[[nodiscard]] result<void> make_warm(int file) noexcept;

/// Syncs, then drops every clean cache of the machine (/proc/sys/vm/drop_caches, proc(5)). EACCES
/// for all users but root.
[[nodiscard]] result<void> drop_caches() noexcept;

}  // namespace sluice::transfer
