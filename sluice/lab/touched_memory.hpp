// Takes memory back from the host before something is measured that needs it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::lab {

/// Bytes that programs can still take without anything being written out; 0 if nobody knows.
[[nodiscard]] std::uint64_t available_memory();

/// A virtual machine may hand free memory back to its host (free page reporting, a balloon); the
/// next use of those pages faults in the host, and whatever allocates page cache then looks slow in
/// a random half of its runs. Memory that was touched and released within the last two seconds is
/// not yet given back. How long the touching took tells whether that mattered.
class touched_memory {
 public:
    /// Touches every page of `bytes`, and releases them. As much as there is, if there is less.
    void touch(std::uint64_t bytes);
    /// What was found: a sentence if some memory took much longer than most; else empty.
    [[nodiscard]] std::string verdict() const;

 private:
    std::vector<double> rates_;  // bytes a second, of each time
};

}  // namespace sluice::lab
