// Control groups of this process and their CPU quota (cgroups(7)), versions 1 and 2.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Reads a small text file by its absolute path; nullopt if it cannot be read.
using text_reader = std::function<std::optional<std::string>(const std::filesystem::path&)>;

/// The text_reader of the real file system. Throws std::bad_alloc.
[[nodiscard]] std::optional<std::string> read_small_file(const std::filesystem::path& path);

/// The words of such a file, between blanks and line ends.
[[nodiscard]] std::vector<std::string> words_in(std::string_view text);

/// Directories of the cgroups that limit this process by `controller`, the innermost first: version
/// 1 if the controller is mounted as such, else version 2 (proc_pid_mountinfo(5)).
[[nodiscard]] std::vector<std::filesystem::path> cgroups_of(const text_reader& read,
                                                            std::string_view controller);

/// CPU quota of those cgroups in cores; infinity if none is set (cpu.max, or cpu.cfs_quota_us and
/// cpu.cfs_period_us).
[[nodiscard]] double cpu_quota(const text_reader& read);

}  // namespace sluice
