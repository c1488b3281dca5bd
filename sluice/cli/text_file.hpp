// Reads a small file whole.
#pragma once

#include <filesystem>
#include <string>

#include "sluice/base/result.hpp"

namespace sluice::cli {

/// All of the file at `path`, up to 16 MiB. Errors: those of open(2) and read(2), as EISDIR for a
/// directory; EFBIG for more than that.
[[nodiscard]] result<std::string> read_text(const std::filesystem::path& path);

}  // namespace sluice::cli
