// Reads a small file into a string.
#pragma once

#include <filesystem>
#include <string>

#include "sluice/base/result.hpp"

namespace sluice::cli {

/// The content of the file at `path`, up to 16 MiB. Errors: those of open(2) and read(2), such as
/// EISDIR for a directory; EFBIG for a larger file.
[[nodiscard]] result<std::string> read_text(const std::filesystem::path& path);

}  // namespace sluice::cli
