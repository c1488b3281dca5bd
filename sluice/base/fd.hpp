// RAII owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>

namespace sluice {

/// Owns one file descriptor and closes it (close(2)) in its destructor. Movable; -1 is "none".
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

    /// The descriptor, still owned by this; -1 if there is none.
    [[nodiscard]] int get() const noexcept { return fd_; }
    /// True if it owns a descriptor.
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives up ownership; the caller closes the descriptor.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes the owned descriptor and takes `fd`. Ignores errors of close(2): Linux frees the
    /// number in every case.
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

 private:
    int fd_ = -1;
};

}  // namespace sluice
