// The facts of a machine that figures depend on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/cores.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// Reads what it can; what it cannot is left out. `version` is sluice's, `directory` where files
/// are made.
[[nodiscard]] std::vector<fact> read_environment(std::string_view version,
                                                 const std::string& directory,
                                                 const core_layout& cores);

}  // namespace sluice::lab
