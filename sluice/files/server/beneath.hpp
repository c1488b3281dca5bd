// Opens files below a directory without following symbolic links, and related calls.
#pragma once

#include <sys/stat.h>

#include <cstdint>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::files {

/// Opens `path` below `directory` (openat2(2): RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS); `flags` as of
/// open(2) for what exists, without O_PATH. Crosses mount points. Errno of openat2(2). Where a
/// filter of system calls has no openat2(2), as that of RestrictSUIDSGID= in systemd.exec(5), a
/// component at a time; a path with `..` is EXDEV then.
[[nodiscard]] result<unique_fd> open_beneath(int directory, const char* path, int flags) noexcept;
/// The same, for reading a directory.
[[nodiscard]] result<unique_fd> open_folder(int directory, const char* path) noexcept;

/// fstatat(2), without following a symbolic link.
[[nodiscard]] result<struct stat> look_at(int folder, const char* name) noexcept;

/// fsync(2).
[[nodiscard]] result<void> sync_file(int file) noexcept;

/// Locks a whole file for writing, against other processes and other open file descriptions of this
/// one (fcntl(2), F_OFD_SETLK). EBUSY where it is locked.
[[nodiscard]] result<void> lock_file(int file) noexcept;

/// Whether a file may replace `there`: EISDIR for a directory, EINVAL for anything else that is no
/// regular file.
[[nodiscard]] result<void> may_be_replaced(const struct stat& there) noexcept;

[[nodiscard]] inline std::uint64_t size_of(const struct stat& found) noexcept {
    return static_cast<std::uint64_t>(found.st_size);
}

}  // namespace sluice::files
