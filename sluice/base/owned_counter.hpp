// Counter that one thread changes and any thread reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

/// Only its owner changes it, so that counting costs no locked instruction. Orders no other memory.
class owned_counter {
 public:
    owned_counter() noexcept = default;
    owned_counter(const owned_counter& other) noexcept : value_{other.get()} {}
    owned_counter& operator=(const owned_counter& other) noexcept {
        set(other.get());
        return *this;
    }
    ~owned_counter() = default;

    /// Any thread.
    [[nodiscard]] std::uint64_t get() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }
    // NOLINTNEXTLINE(google-explicit-constructor): it is read as a number
    [[nodiscard]] operator std::uint64_t() const noexcept { return get(); }

    owned_counter& operator++() noexcept { return *this += 1; }
    owned_counter& operator--() noexcept { return *this -= 1; }
    owned_counter& operator+=(std::uint64_t n) noexcept {
        set(get() + n);
        return *this;
    }
    owned_counter& operator-=(std::uint64_t n) noexcept {
        set(get() - n);
        return *this;
    }
    void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }

 private:
    std::atomic<std::uint64_t> value_ = 0;
};

}  // namespace sluice
