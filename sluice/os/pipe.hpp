// A pipe with RAII ends (pipe2(2)).
#pragma once

#include <cstddef>

#include "sluice/base/result.hpp"
#include "sluice/os/fd.hpp"

namespace sluice {

/// Both ends of a pipe, closed on exec.
struct pipe_ends {
    unique_fd out;             ///< read end
    unique_fd in;              ///< write end
    std::size_t capacity = 0;  ///< bytes

    /// Of `wanted` bytes if permitted (fcntl(2), F_SETPIPE_SZ; /proc/sys/fs/pipe-max-size), else of
    /// the default size. Errno of pipe2(2).
    [[nodiscard]] static result<pipe_ends> create(std::size_t wanted) noexcept;
};

}  // namespace sluice
