// Sizes of the thread pools of the file services.
#pragma once

#include <cstddef>

namespace sluice::files {

/// A thread that waits for a disk needs no core; a few keep the disk busy.
inline constexpr std::size_t disk_workers = 4;
/// A digest uses a core for seconds: more threads would only share the cores.
inline constexpr std::size_t cpu_workers = 2;
/// Queued jobs per pool; each belongs to a client that waits.
inline constexpr std::size_t most_waiting_jobs = 100'000;

}  // namespace sluice::files
