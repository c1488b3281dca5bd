// The folder of what a user's programs of sluice remember between runs.
#pragma once

#include <string>

#include "sluice/base/result.hpp"

namespace sluice::cli {

/// The path of that folder, which is made if need be, for its owner alone: STATE_DIRECTORY of
/// systemd.exec(5), XDG_STATE_HOME/sluice, ~/.local/state/sluice, or /var/lib/sluice. An errno of
/// mkdir(2). May block.
[[nodiscard]] result<std::string> state_directory();

}  // namespace sluice::cli
