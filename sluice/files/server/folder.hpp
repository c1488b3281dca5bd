// Reads the entries of a directory.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::files {

/// One entry of a directory.
struct listing_entry {
    std::string name;  ///< as the file system has it: any bytes but the slash and NUL
    bool directory = false;
    std::uint64_t size = 0;  ///< in bytes; 0 for a directory
    std::chrono::sys_seconds modified;
};

/// Identity and times of a directory: while they are equal, its names have not changed.
struct folder_version {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t modified = 0;  ///< nanoseconds
    std::int64_t changed = 0;   ///< nanoseconds

    [[nodiscard]] static folder_version of(const struct stat& found) noexcept;
    [[nodiscard]] bool operator==(const folder_version&) const noexcept = default;
};

/// Visible files and directories, directories first, then by name.
struct folder_contents {
    std::vector<listing_entry> entries;
    std::uint64_t folders = 0;   ///< directories among the entries
    std::uint64_t bytes = 0;     ///< of the files among the entries
    std::uint64_t unlisted = 0;  ///< names that why_no_file_name() rejects
    std::uint64_t omitted = 0;   ///< entries beyond the limit
    std::uint64_t hash = 0;      ///< of the entries and both counts above

    /// Approximate memory of the entries, in bytes.
    [[nodiscard]] std::size_t memory() const noexcept;
};

/// Reads up to `most` entries of the directory. Blocks: milliseconds per thousand entries. Errno of
/// getdents64(2).
[[nodiscard]] result<folder_contents> read_folder(unique_fd folder, std::size_t most);
/// Sorts the entries, and counts and hashes them.
void put_in_order(folder_contents& what);

}  // namespace sluice::files
