// RAII owner of a file descriptor.
#pragma once

#include <utility>

#include "sluice/os/kernel.hpp"

namespace sluice {

/// Owns one file descriptor and closes it (close(2)) in its destructor. Movable. A negative number
/// is "none": made from a call of os::kernel that failed, it keeps the -errno for get().
class unique_fd {
 public:
    unique_fd() noexcept = default;
    /// Takes ownership of `fd`.
    explicit unique_fd(int fd) noexcept : fd_{fd} {}
    /// Leaves `other` with none.
    unique_fd(unique_fd&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    /// Closes the descriptor that was owned before, if any; leaves `other` with none.
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    unique_fd(const unique_fd&) = delete;
    unique_fd& operator=(const unique_fd&) = delete;
    ~unique_fd() { reset(); }

    /// The descriptor, still owned by this; -1, or the -errno it was made from, if there is none.
    [[nodiscard]] int get() const noexcept { return fd_; }
    /// True if it owns a descriptor.
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives up ownership; the caller closes the descriptor.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes the owned descriptor and takes `fd`. Ignores errors of close(2): Linux frees the
    /// number in every case.
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) os::sys().close(fd_);
        fd_ = fd;
    }

 private:
    int fd_ = -1;
};

}  // namespace sluice
