// Anonymous memory straight from the kernel: zeroed, page-aligned, and resident only where touched.
#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice {

/// Owns one private anonymous mapping (mmap(2)). Movable.
class mapping {
 public:
    mapping() noexcept = default;
    /// `size` in bytes; an errno of mmap(2) on failure.
    [[nodiscard]] static result<mapping> create(std::size_t size) noexcept {
        void* where = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (where == MAP_FAILED) return failure_of(errno);
        return mapping{where, size};
    }
    mapping(mapping&& other) noexcept
        : where_{std::exchange(other.where_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    mapping& operator=(mapping&& other) noexcept {
        std::swap(where_, other.where_);
        std::swap(size_, other.size_);
        return *this;
    }
    mapping(const mapping&) = delete;
    mapping& operator=(const mapping&) = delete;
    ~mapping() {
        if (where_ != nullptr) ::munmap(where_, size_);
    }

    /// Page-aligned start; nullptr when empty.
    [[nodiscard]] void* data() const noexcept { return where_; }
    /// Bytes.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
    mapping(void* where, std::size_t size) noexcept : where_{where}, size_{size} {}

    void* where_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace sluice
