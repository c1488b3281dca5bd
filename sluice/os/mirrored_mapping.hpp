// Memory mapped twice in a row, so that a ring of bytes is contiguous across its end.
#pragma once

#include <cstddef>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice {

/// `size` bytes mapped at two adjacent addresses (memfd_create(2), mmap(2)): byte i and byte i +
/// size are the same. Any range of at most `size` bytes that starts in the first half is
/// contiguous. Movable.
class mirrored_mapping {
 public:
    mirrored_mapping() noexcept = default;
    /// Rounds `size` up to whole pages. An errno of the calls on failure.
    [[nodiscard]] static result<mirrored_mapping> create(std::size_t size) noexcept;
    mirrored_mapping(mirrored_mapping&& other) noexcept
        : start_{std::exchange(other.start_, nullptr)}, size_{std::exchange(other.size_, 0)} {}
    mirrored_mapping& operator=(mirrored_mapping&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(size_, other.size_);
        return *this;
    }
    mirrored_mapping(const mirrored_mapping&) = delete;
    mirrored_mapping& operator=(const mirrored_mapping&) = delete;
    ~mirrored_mapping();

    [[nodiscard]] char* data() const noexcept { return start_; }
    /// Bytes of one of the two mappings.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
    mirrored_mapping(char* start, std::size_t size) noexcept : start_{start}, size_{size} {}

    char* start_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace sluice
