// Changes the root directory of the process (chroot(2)).
#pragma once

#include <string>

#include "sluice/base/result.hpp"

namespace sluice::sandbox {

/// Makes `path` the root directory of the process and its working directory. Names that the C
/// library reads once, such as the time zone, are read before. Needs CAP_SYS_CHROOT, which has to
/// be dropped afterwards, as it opens the way back. The errno of chdir(2) or chroot(2).
[[nodiscard]] result<void> enter_root_directory(const std::string& path) noexcept;

}  // namespace sluice::sandbox
