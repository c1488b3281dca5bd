// Takes memory back from the host before something is measured that needs it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::lab {

/// Bytes that programs can still take without anything being written out; 0 if nobody knows.
[[nodiscard]] std::uint64_t available_memory();

/// A virtual machine may hand free memory back to its host (free page reporting, a balloon); the
/// next use of it faults in the host, and whatever allocates page cache then looks slow in a random
/// half of its runs. The host takes it in pieces of a huge page, and a file system that has large
/// folios asks for such pieces, too. Memory that was touched in them and released within the last
/// two seconds is not yet given back. How long the touching took tells whether that mattered.
class touched_memory {
 public:
    /// How many times what a sample allocates is touched: the allocator has other free memory to
    /// choose from, and of as much or twice as much some samples were slow still.
    static constexpr std::uint64_t times = 3;

    /// Before something that allocates `bytes`: touches `times` as much in huge pages, or three
    /// quarters of what is available where that is less, and releases it. Bytes touched.
    std::uint64_t touch(std::uint64_t bytes);
    /// What was found: a sentence if some memory took much longer than other; else empty.
    [[nodiscard]] std::string verdict() const;

 private:
    std::vector<double> rates_;  // bytes a second, of each time
};

/// The same of rates in bytes a second, each of one time that memory was touched.
[[nodiscard]] std::string verdict_of_touching(std::vector<double> rates);

}  // namespace sluice::lab
