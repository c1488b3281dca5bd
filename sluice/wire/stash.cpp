// How a stash grows and shrinks.
#include "sluice/wire/stash.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace sluice::wire {
namespace {

// The least that is asked for: one allocation for most lines that come a byte at a time.
constexpr std::size_t least = 64;

}  // namespace

bool stash::append(std::string_view bytes) noexcept {
    if (bytes.empty()) return true;
    // A long message must not leave its memory to a short one that is then waited on for hours.
    if (size_ == 0 && capacity_ > small && capacity_ / 2 > bytes.size()) release();
    if (bytes.size() > capacity_ - size_ && !make_room(size_ + bytes.size())) return false;
    std::memcpy(data_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return true;
}

void stash::release() noexcept {
    data_.reset();
    size_ = 0;
    capacity_ = 0;
}

bool stash::make_room(std::size_t needed) noexcept {
    const std::size_t capacity = std::max({needed, capacity_ * 2, least});
    std::unique_ptr<char[]> larger{new (std::nothrow) char[capacity]};
    if (larger == nullptr) return false;
    if (size_ > 0) std::memcpy(larger.get(), data_.get(), size_);
    data_ = std::move(larger);
    capacity_ = capacity;
    return true;
}

}  // namespace sluice::wire
