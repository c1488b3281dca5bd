// An object in several copies, so that threads that count do not share a cache line.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include "sluice/base/relaxed.hpp"

namespace sluice {

/// Copies of T on cache lines of their own. Each thread has one, which it shares with others where
/// there are more threads than copies, and a forked child has its parent's: T consists of atomics.
/// A reader adds them up.
template <class T, std::size_t Copies = 16>
class spread {
 public:
    /// The calling thread's copy.
    [[nodiscard]] T& mine() noexcept { return copies_.at(number_of_thread() % Copies).value; }
    /// Calls `see(const T&)` for each copy. Any thread.
    template <class See>
    void each(See see) const {
        for (const auto& one : copies_) see(one.value);
    }

 private:
    static constexpr std::size_t cache_line = 64;
    struct alignas(cache_line) copy {
        T value{};
    };

    static std::size_t number_of_thread() noexcept {
        static std::atomic<std::size_t> next = 0;
        thread_local const std::size_t mine = next.fetch_add(1, relaxed);
        return mine;
    }

    std::array<copy, Copies> copies_{};
};

}  // namespace sluice
