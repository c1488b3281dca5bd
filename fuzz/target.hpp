// The fuzz targets of this program.
#pragma once

#include <span>
#include <string_view>

namespace sluice::fuzz {

struct target {
    std::string_view name;
    /// Examines any bytes, and ends the program (check()) where a property does not hold.
    void (*examine)(std::string_view input);
};

/// One where libFuzzer hunts, all of them where corpora are replayed. The build makes the list of
/// the names of the sources (fuzz/CMakeLists.txt).
std::span<const target> targets() noexcept;

}  // namespace sluice::fuzz
