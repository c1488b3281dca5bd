// Implements stash: growth by doubling, and release.
#include "sluice/wire/stash.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sluice::wire {
namespace {

// Smallest capacity: one allocation for most lines that arrive a byte at a time.
constexpr std::size_t least = 64;

}  // namespace

bool stash::append(std::string_view bytes) noexcept {
    if (bytes.empty()) return true;
    // A short message that waits hours for its end must not hold the memory of a long one.
    if (size_ == 0 && capacity_ > small && capacity_ / 2 > bytes.size()) release();
    if (bytes.size() > capacity_ - size_ && !grow(size_ + bytes.size())) return false;
    std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
}

void stash::release() noexcept {
    data_.reset();
    size_ = 0;
    capacity_ = 0;
}

bool stash::grow(std::size_t needed) noexcept {
    const std::size_t capacity = std::max({needed, capacity_ * 2, least});
    std::unique_ptr<char[]> larger{new (std::nothrow) char[capacity]};
    if (larger == nullptr) return false;
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
    return true;
}

}  // namespace sluice::wire
