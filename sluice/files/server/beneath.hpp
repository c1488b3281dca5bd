// Files and directories reached from an open directory, through no symbolic link.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cstdint>
#include <memory>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice::files {

/// Opens `path` below `directory` (openat2(2): RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS); `flags` as
/// of open(2). File systems that are mounted below are entered. Errno of openat2(2).
[[nodiscard]] result<unique_fd> open_beneath(int directory, const char* path,
                                             std::uint64_t flags) noexcept;
/// The same for a directory that can be read.
[[nodiscard]] result<unique_fd> open_folder(int directory, const char* path) noexcept;

/// fstatat(2) of a symbolic link itself.
[[nodiscard]] result<struct stat> look_at(int folder, const char* name) noexcept;

/// fsync(2).
[[nodiscard]] result<void> sync_file(int file) noexcept;

/// A write lock on a whole file, between processes and between descriptions of one process
/// (fcntl(2), F_OFD_SETLK). EBUSY where another holds it.
[[nodiscard]] result<void> lock_file(int file) noexcept;

struct directory_closer {
    void operator()(DIR* d) const noexcept { ::closedir(d); }
};
using directory_reader = std::unique_ptr<DIR, directory_closer>;

/// Reads the entries of `directory` with a descriptor of its own. Errno of fdopendir(3).
[[nodiscard]] result<directory_reader> read_directory(unique_fd directory);

/// Whether a file may take the place of what is there: EISDIR for a directory, EINVAL for what is
/// no regular file.
[[nodiscard]] result<void> may_be_replaced(const struct stat& there) noexcept;

[[nodiscard]] inline std::uint64_t size_of(const struct stat& found) noexcept {
    return static_cast<std::uint64_t>(found.st_size);
}

}  // namespace sluice::files
