// memfd_create(2) of the simulated kernel: a real one, as memory is mapped for real.
#pragma once

#include "sluice/os/kernel.hpp"
#include "sluice/sim/description.hpp"

namespace sluice::sim {

/// Owns a descriptor of `real`, which outlives it.
class memory_file final : public description {
 public:
    memory_file(os::kernel& real, int fd) noexcept
        : description{kind::memory, O_RDWR}, real_{real}, fd_{fd} {}
    ~memory_file() override { real_.close(fd_); }

    /// The descriptor of the real kernel.
    [[nodiscard]] int real_descriptor() const noexcept { return fd_; }
    [[nodiscard]] ssize_t read(mutable_bytes memory) noexcept override {
        return real_.read(fd_, memory);
    }
    [[nodiscard]] ssize_t write(const_bytes data) noexcept override {
        return real_.write(fd_, data);
    }
    [[nodiscard]] ssize_t pread(mutable_bytes memory, std::uint64_t at) noexcept override {
        return real_.pread(fd_, memory, at);
    }
    [[nodiscard]] ssize_t pwrite(const_bytes data, std::uint64_t at) noexcept override {
        return real_.pwrite(fd_, data, at);
    }
    [[nodiscard]] int truncate(std::uint64_t size) noexcept override {
        return real_.ftruncate(fd_, size);
    }

 private:
    os::kernel& real_;
    int fd_;
};

}  // namespace sluice::sim
