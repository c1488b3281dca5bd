// What a directory holds at one moment.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::files {

/// One name in a directory.
struct listing_entry {
    std::string name;  ///< as the file system has it: any bytes but the slash and NUL
    bool directory = false;
    std::uint64_t size = 0;  ///< in bytes; of a directory nothing is said
    std::chrono::sys_seconds modified;
};

/// The state of a directory: its names have not changed while it is the same.
struct folder_version {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t modified = 0;  ///< nanoseconds
    std::int64_t changed = 0;   ///< nanoseconds

    [[nodiscard]] static folder_version of(const struct stat& found) noexcept;
    [[nodiscard]] bool operator==(const folder_version&) const noexcept = default;
};

/// Files and directories that may be seen, directories first, then by name.
struct folder_contents {
    std::vector<listing_entry> entries;
    std::uint64_t folders = 0;   ///< of the entries
    std::uint64_t bytes = 0;     ///< of the files among them
    std::uint64_t unlisted = 0;  ///< names that are no text (why_no_file_name())
    std::uint64_t omitted = 0;   ///< beyond the limit
    std::uint64_t hash = 0;      ///< of all of the above

    /// About how much memory the entries take.
    [[nodiscard]] std::size_t memory() const noexcept;
};

/// Reads the directory, up to `most` entries of it. Blocks: milliseconds for a thousand entries.
/// Errno of readdir(3).
[[nodiscard]] result<folder_contents> read_folder(unique_fd folder, std::size_t most);
/// Sorts the entries, and counts and hashes them.
void put_in_order(folder_contents& what);

}  // namespace sluice::files
