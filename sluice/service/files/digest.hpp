// The SHA-256 of a file.
#pragma once

#include <string>

#include "sluice/base/result.hpp"

namespace sluice::service::files {

/// 64 hexadecimal digits. Reads the whole file, from its beginning, and holds the thread for about
/// a second a gigabyte: offload it from a loop. EIO and the like; ENOMEM.
[[nodiscard]] result<std::string> sha256_of(int file);

}  // namespace sluice::service::files
