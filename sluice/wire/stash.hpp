// A growing byte buffer that does not throw and can release its memory.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace sluice::wire {

/// A growing buffer for a message that arrives in pieces. Holds no memory before the first append;
/// with content, at most twice its size or `small` bytes, whichever is more.
class stash {
 public:
    /// Capacity, in bytes, that is kept for a content of any length.
    static constexpr std::size_t small = 256;

    stash() noexcept = default;
    stash(stash&& other) noexcept
        : data_{std::move(other.data_)},
          size_{std::exchange(other.size_, 0)},
          capacity_{std::exchange(other.capacity_, 0)} {}
    stash& operator=(stash&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
        return *this;
    }
    stash(const stash&) = delete;
    stash& operator=(const stash&) = delete;
    ~stash() = default;

    /// Appends `bytes`, which must not lie in this stash. False if memory runs out; the content is
    /// then unchanged. Invalidates views.
    [[nodiscard]] bool append(std::string_view bytes) noexcept;

    /// Valid until the next append, release or assignment.
    [[nodiscard]] std::string_view view() const noexcept { return {data_.get(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// Bytes of memory held.
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    /// Drops the content and keeps the memory, unless the next append needs less than half of it.
    void clear() noexcept { size_ = 0; }
    /// Drops the content and frees the memory.
    void release() noexcept;

 private:
    [[nodiscard]] bool grow(std::size_t needed) noexcept;

    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace sluice::wire
