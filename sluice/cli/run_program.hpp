// The whole command line, without what parses it.
#pragma once

#include <string>
#include <vector>

#include "sluice/cli/exit_status.hpp"

namespace sluice::cli {

/// Runs the command that `arguments` ask for; they are what follows the program's name. Throws
/// std::bad_alloc.
[[nodiscard]] exit_status run_program(const std::vector<std::string>& arguments);

}  // namespace sluice::cli
