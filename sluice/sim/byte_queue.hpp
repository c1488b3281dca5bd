// Queue of bytes: what is on its way in a pipe or in one direction of a stream.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "sluice/base/bytes.hpp"

namespace sluice::sim {

/// First in, first out.
class byte_queue {
 public:
    void push(const_bytes data) { bytes_.insert(bytes_.end(), data.begin(), data.end()); }
    /// Copies from the front; the number of bytes.
    std::size_t peek(mutable_bytes into) const noexcept {
        const std::size_t n = std::min(into.size(), size());
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(head_), n, into.begin());
        return n;
    }
    void pop(std::size_t n) noexcept {
        head_ += n;
        if (head_ == bytes_.size()) {
            bytes_.clear();
            head_ = 0;
        } else if (head_ > bytes_.size() / 2) {
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
            head_ = 0;
        }
    }
    /// Drops all but the first `n`.
    void cut(std::size_t n) noexcept { bytes_.resize(head_ + n); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - head_; }

 private:
    std::vector<std::byte> bytes_;
    std::size_t head_ = 0;
};

}  // namespace sluice::sim
