// Bytes kept from one chunk to the next: grows by doubling, never throws, gives its memory back.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

namespace sluice::wire {

/// A growing buffer for a message that arrives in pieces. Holds no memory until something is put in
/// and at most twice its content (or `small`, if that is more) while something is.
class stash {
 public:
    /// Up to this many bytes of memory are kept for a content of any length.
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

    /// Adds `bytes`, which may not lie in this stash, at the end. False if there is no memory for
    /// them; the content is then what it was. Views of the content die.
    [[nodiscard]] bool append(std::string_view bytes) noexcept;

    /// Valid until the next call of append, release, or an assignment.
    [[nodiscard]] std::string_view view() const noexcept { return {data_.get(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// Bytes of memory held.
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    /// Forgets the content and keeps the memory for more, as long as it fits what comes.
    void clear() noexcept { size_ = 0; }
    /// Forgets the content and gives the memory back.
    void release() noexcept;

 private:
    [[nodiscard]] bool make_room(std::size_t needed) noexcept;

    std::unique_ptr<char[]> data_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace sluice::wire
