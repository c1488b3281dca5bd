// Reads a small file into a string, and writes a string to a file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "sluice/base/result.hpp"

namespace sluice::cli {

/// The content of the file at `path`, up to 16 MiB. Errors: those of open(2) and read(2), such as
/// EISDIR for a directory; EFBIG for a larger file.
[[nodiscard]] result<std::string> read_text(const std::filesystem::path& path);

/// Writes all of `text` to the blocking descriptor `fd`. Errors: those of write(2), after which a
/// part of `text` may have been written.
[[nodiscard]] result<void> write_text(int fd, std::string_view text);

/// Makes `text` the content of the file at `path` in one step: writes it to the file `temporary`,
/// which is no symbolic link and in the same file system, and renames that. After an error the file
/// at `path` is unchanged, and none is left at `temporary`. Errors: those of open(2), write(2) and
/// rename(2).
[[nodiscard]] result<void> replace_text(const std::filesystem::path& path,
                                        const std::filesystem::path& temporary,
                                        std::string_view text);

}  // namespace sluice::cli
