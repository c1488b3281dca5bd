// A setting that one thread changes while others read it.
#pragma once

#include <atomic>
#include <concepts>

namespace sluice {

/// A number or duration T. Reading it costs what a plain T costs. Orders no other memory.
template <class T>
class live_setting {
 public:
    template <std::convertible_to<T> Value>
    // NOLINTNEXTLINE(google-explicit-constructor): it is set like a T
    live_setting(Value value) noexcept : value_{static_cast<T>(value)} {}
    live_setting(const live_setting& other) noexcept : value_{other.get()} {}
    live_setting& operator=(const live_setting& other) noexcept {
        set(other.get());
        return *this;
    }
    ~live_setting() = default;

    [[nodiscard]] T get() const noexcept { return value_.load(std::memory_order_relaxed); }
    void set(T value) noexcept { value_.store(value, std::memory_order_relaxed); }
    // NOLINTNEXTLINE(google-explicit-constructor): it is read like a T
    [[nodiscard]] operator T() const noexcept { return get(); }

 private:
    static_assert(std::atomic<T>::is_always_lock_free);
    std::atomic<T> value_;
};

}  // namespace sluice
