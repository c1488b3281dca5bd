// RAII memory mapping (mmap(2)): anonymous, zeroed and backed only where touched, or of a
// descriptor.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "sluice/base/result.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice {

/// Owns one mapping. Movable.
class mapping {
 public:
    mapping() noexcept = default;
    /// A private anonymous one. `size` in bytes; an errno of mmap(2) on failure.
    [[nodiscard]] static result<mapping> create(std::size_t size) noexcept {
        return create(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    /// `size` bytes from `at` of what `fd` refers to, shared with all who map it, and backed at
    /// once; an errno of mmap(2).
    [[nodiscard]] static result<mapping> share(int fd, std::uint64_t at,
                                               std::size_t size) noexcept {
        return create(size, MAP_SHARED | MAP_POPULATE, fd, at);
    }
    /// An anonymous one that children of fork(2) share with this process.
    [[nodiscard]] static result<mapping> share_with_children(std::size_t size) noexcept {
        return create(size, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }
    mapping(mapping&& other) noexcept
        : start_{std::exchange(other.start_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    mapping& operator=(mapping&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(size_, other.size_);
        return *this;
    }
    mapping(const mapping&) = delete;
    mapping& operator=(const mapping&) = delete;
    ~mapping() {
        if (start_ != nullptr) os::sys().munmap(start_, size_);
    }

    /// Page-aligned start; nullptr when empty.
    [[nodiscard]] void* data() const noexcept { return start_; }
    /// Bytes.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
    mapping(void* start, std::size_t size) noexcept : start_{start}, size_{size} {}
    static result<mapping> create(std::size_t size, int flags, int fd, std::uint64_t at) noexcept {
        mapping made{nullptr, size};
        const int failed =
            os::sys().mmap(made.start_, nullptr, size, PROT_READ | PROT_WRITE, flags, fd, at);
        if (failed < 0) return failure_of(-failed);
        return made;
    }

    void* start_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace sluice
