// Prefaults memory before a sample, so that page faults in the host do not slow it down.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::lab {

/// MemAvailable of /proc/meminfo in bytes (proc_meminfo(5)); 0 if it cannot be read.
[[nodiscard]] std::uint64_t available_memory();

/// A virtual machine may return free memory to its host (free page reporting, a balloon). The next
/// use of that memory faults in the host, and an allocation of page cache then is slow in a random
/// half of the runs. The host takes memory in units of a huge page, and a file system with large
/// folios allocates such units, too. Memory that was touched in huge pages and released within the
/// last two seconds has not been returned yet. The time that touching takes shows whether the host
/// had taken memory. One thread.
class prefaulted_memory {
 public:
    /// How many times the memory of a sample is touched: the allocator may choose other free
    /// memory, and with factors of 1 and 2 some samples were still slow.
    static constexpr std::uint64_t times = 3;

    /// Call before a sample that allocates `bytes`: touches `times` as much in huge pages, or three
    /// quarters of the available memory if that is less, and releases it. Returns the bytes
    /// touched.
    std::uint64_t touch(std::uint64_t bytes);
    /// A warning sentence if some memory took much longer to touch than the rest; else empty.
    [[nodiscard]] std::string warning() const;

 private:
    std::vector<double> rates_;  // bytes per second, an entry per touch()
};

/// The same for `rates` in bytes per second, an entry per touch.
[[nodiscard]] std::string warning_of_touching(std::vector<double> rates);

}  // namespace sluice::lab
