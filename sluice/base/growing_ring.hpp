// Ring buffer that grows by doubling and never shrinks: no allocation once warm.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace sluice {

/// A FIFO queue with access by index. T is default-constructible and cheap to move.
template <class T, class Allocator = std::allocator<T>>
class growing_ring {
 public:
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return slots_[slot_index(i)]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept {
        return slots_[slot_index(i)];
    }
    [[nodiscard]] T& back() noexcept { return (*this)[count_ - 1]; }

    /// Makes the next push_back() not throw. Throws std::bad_alloc if it cannot grow.
    void reserve_one() {
        if (count_ == slots_.size()) grow();
    }
    /// Throws as reserve_one() does.
    void push_back(T value) {
        reserve_one();
        slots_[slot_index(count_)] = std::move(value);
        ++count_;
    }
    void pop_front() noexcept {
        first_ = (first_ + 1) & (slots_.size() - 1);
        --count_;
    }
    void clear() noexcept { first_ = count_ = 0; }

 private:
    [[nodiscard]] std::size_t slot_index(std::size_t i) const noexcept {
        return (first_ + i) & (slots_.size() - 1);
    }
    void grow() {
        std::vector<T, Allocator> larger(slots_.empty() ? 4 : slots_.size() * 2);
        for (std::size_t i = 0; i < count_; ++i) larger[i] = std::move((*this)[i]);
        slots_ = std::move(larger);
        first_ = 0;
    }

    std::vector<T, Allocator> slots_;  // its size is 0 or a power of two
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

}  // namespace sluice
