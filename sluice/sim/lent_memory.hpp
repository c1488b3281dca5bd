// Memory of a program that a simulated kernel uses while an operation is in flight.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "sluice/base/bytes.hpp"
#include "sluice/sim/fail.hpp"

namespace sluice::sim {

/// Sees whether the program leaves it alone. What is to be received into is scribbled over, so that
/// a program that reads it too early finds nonsense, and one that writes to it is found out.
class lent_memory {
 public:
    lent_memory() noexcept = default;
    /// The kernel reads it.
    explicit lent_memory(const_bytes data) noexcept : data_{data}, hash_{hash_of(data)} {}
    /// The kernel writes it.
    explicit lent_memory(mutable_bytes memory) noexcept
        : data_{memory}, into_{memory}, hash_{hash_of(scribbled(memory))} {}

    /// All of it.
    [[nodiscard]] const_bytes data() const noexcept { return data_; }
    /// All of it; empty if the kernel only reads it.
    [[nodiscard]] mutable_bytes memory() const noexcept { return into_; }
    /// Fails the world unless the program has left it alone so far. `what` it must not have done.
    void check(std::string_view what) const noexcept { require(hash_of(data_) == hash_, what); }
    /// The kernel has written to it.
    void changed() noexcept { hash_ = hash_of(data_); }

    static void scribble(mutable_bytes memory) noexcept {
        constexpr int nonsense = 0xA5;
        if (!memory.empty()) std::memset(memory.data(), nonsense, memory.size());
    }

 private:
    [[nodiscard]] static const_bytes scribbled(mutable_bytes memory) noexcept {
        scribble(memory);
        return memory;
    }
    /// Of FNV-1a's kind, by words.
    [[nodiscard]] static std::uint64_t hash_of(const_bytes data) noexcept {
        constexpr std::uint64_t prime = 0x0000'0100'0000'01b3U;
        std::uint64_t hash = of_nothing;
        while (!data.empty()) {
            std::uint64_t word = 0;
            const std::size_t n = std::min(data.size(), sizeof word);
            std::memcpy(&word, data.data(), n);
            hash = (hash ^ word) * prime;
            hash ^= hash >> 32;
            data = data.subspan(n);
        }
        return hash;
    }

    static constexpr std::uint64_t of_nothing = 0xcbf2'9ce4'8422'2325U;

    const_bytes data_;
    mutable_bytes into_;
    std::uint64_t hash_ = of_nothing;
};

}  // namespace sluice::sim
