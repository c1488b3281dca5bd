// Reads the entries of a directory.
#pragma once

#include <dirent.h>

#include <cstddef>
#include <memory>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::os {

/// Reads the entries of a directory in the order of the file system, through 32 KiB of memory
/// (getdents64(2)). One thread at a time.
class directory_reader {
 public:
    /// Takes `directory`, which is open for reading and stays open as long as this.
    explicit directory_reader(unique_fd directory) noexcept;

    /// The directory, still owned by this.
    [[nodiscard]] int fd() const noexcept { return directory_.get(); }
    /// The next entry, "." and ".." among them, valid until the next call; null at the end. Blocks.
    /// Errno of getdents64(2): ENOTDIR, EIO ...; ENOMEM.
    [[nodiscard]] result<const dirent64*> next() noexcept;

 private:
    unique_fd directory_;
    std::unique_ptr<std::byte[]> buffer_;
    const_bytes left_;  // of the buffer, not returned yet
};

}  // namespace sluice::os
