// Reads the facts about machine and build that measurements depend on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/cores.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// Facts that cannot be read are left out. `version` is that of sluice; `directory` is where the
/// lab makes its files.
[[nodiscard]] std::vector<fact> read_environment(std::string_view version,
                                                 const std::string& directory,
                                                 const core_layout& cores);

}  // namespace sluice::lab
