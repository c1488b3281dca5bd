// A pipe whose two ends have owners.
#pragma once

#include <cstddef>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"

namespace sluice {

/// Both ends of a pipe (pipe2(2)), closed on exec.
struct pipe_ends {
    unique_fd out;  ///< reads
    unique_fd in;   ///< writes
    std::size_t capacity = 0;

    /// As large as `wanted` bytes, or as large as an unprivileged user may have it (fcntl(2),
    /// F_SETPIPE_SZ; /proc/sys/fs/pipe-max-size). Errno of pipe2(2).
    [[nodiscard]] static result<pipe_ends> create(std::size_t wanted) noexcept;
};

}  // namespace sluice
