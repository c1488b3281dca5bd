// Reads a file of /proc, /sys or the like whole.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace sluice {

/// What is in the file, up to 16 MiB; nothing where it cannot be read. Through a descriptor that no
/// child process inherits, which std::ifstream has not (open(2), O_CLOEXEC). Throws std::bad_alloc.
/// Any thread.
[[nodiscard]] std::optional<std::string> read_small_file(const std::filesystem::path& path);

}  // namespace sluice
