// Name of the present boot of the machine.
#pragma once

#include <string>

#include "sluice/base/result.hpp"

namespace sluice::os {

/// The id that the kernel draws when it starts (random(4), boot_id); empty where /proc has none.
/// Errno of open(2) or read(2). Throws std::bad_alloc.
[[nodiscard]] result<std::string> boot_id();

}  // namespace sluice::os
