// Memory that appears twice in a row, so that a ring of bytes never has to be cut in two.
#pragma once

#include <cstddef>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice {

/// `size` bytes mapped at two places, one right after the other (memfd_create(2), mmap(2)): byte i
/// and byte i + size are the same. Any stretch of at most `size` bytes that starts in the first
/// half is contiguous. Movable.
class mirrored_mapping {
 public:
    mirrored_mapping() noexcept = default;
    /// Rounds `size` up to whole pages. An errno of the calls on failure.
    [[nodiscard]] static result<mirrored_mapping> create(std::size_t size) noexcept;
    mirrored_mapping(mirrored_mapping&& other) noexcept
        : where_{std::exchange(other.where_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    mirrored_mapping& operator=(mirrored_mapping&& other) noexcept {
        std::swap(where_, other.where_);
        std::swap(size_, other.size_);
        return *this;
    }
    mirrored_mapping(const mirrored_mapping&) = delete;
    mirrored_mapping& operator=(const mirrored_mapping&) = delete;
    ~mirrored_mapping();

    [[nodiscard]] char* data() const noexcept { return where_; }
    /// Of one of the two.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
    mirrored_mapping(char* where, std::size_t size) noexcept : where_{where}, size_{size} {}

    char* where_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace sluice
