// Prevents two labs of one user from running at the same time: they would disturb each other.
#pragma once

#include <expected>
#include <string>

#include "sluice/os/fd.hpp"

namespace sluice::lab {

/// A lock per user; the kernel releases it when the process ends, however it ends.
class single_instance_lock {
 public:
    /// Takes the lock. The error is a sentence without its full stop: another lab runs, or the lock
    /// file cannot be created.
    [[nodiscard]] static std::expected<single_instance_lock, std::string> claim();
    single_instance_lock(single_instance_lock&&) noexcept = default;
    single_instance_lock& operator=(single_instance_lock&&) = delete;
    single_instance_lock(const single_instance_lock&) = delete;
    single_instance_lock& operator=(const single_instance_lock&) = delete;
    /// Unlinks the lock file.
    ~single_instance_lock();

 private:
    single_instance_lock(std::string path, unique_fd file);

    std::string path_;
    unique_fd file_;
};

}  // namespace sluice::lab
