// What the control groups around this process grant it (cgroups(7)), version 1 and 2.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

/// Reads a small text file by its absolute path; none where it cannot be read.
using text_reader = std::function<std::optional<std::string>(const std::filesystem::path&)>;

/// The reader of this machine's files. Throws std::bad_alloc.
[[nodiscard]] std::optional<std::string> read_small_file(const std::filesystem::path& path);

/// The directories of the cgroups around this process that `controller` rules in, the innermost
/// first: version 1 where the controller is mounted so, else version 2 (proc_pid_mountinfo(5)).
[[nodiscard]] std::vector<std::filesystem::path> cgroups_of(const text_reader& read,
                                                            std::string_view controller);

/// Cores' worth of time that they grant; infinity where none sets a quota (cpu.max, or
/// cpu.cfs_quota_us beside cpu.cfs_period_us).
[[nodiscard]] double cpu_quota(const text_reader& read);

}  // namespace sluice
