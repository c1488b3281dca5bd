// Seeded random numbers of the simulator: the same on every machine and with every library.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sluice::sim {

/// xoshiro256** (Blackman, Vigna: Scrambled linear pseudorandom number generators, 2018), seeded by
/// splitmix64. The distributions of <random> differ between libraries, so these are its own.
class random {
    // Outside of ISO C++, and in every compiler for 64 bits.
    __extension__ using wide = unsigned __int128;

 public:
    explicit random(std::uint64_t seed) noexcept {
        for (std::uint64_t& word : state_) word = splitmix(seed);
    }

    /// 64 bits.
    [[nodiscard]] std::uint64_t bits() noexcept {
        const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }
    /// 0 to `n` - 1; `n` is at least 1.
    [[nodiscard]] std::uint64_t below(std::uint64_t n) noexcept {
        // The high word of a product: its bias is below 2^-32 for every `n` that is used.
        return static_cast<std::uint64_t>((static_cast<wide>(bits()) * n) >> 64);
    }
    /// `low` to `high`, both included.
    [[nodiscard]] std::int64_t between(std::int64_t low, std::int64_t high) noexcept {
        return low + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(high - low) + 1));
    }
    /// 0 to 1, without 1.
    [[nodiscard]] double fraction() noexcept {
        return static_cast<double>(bits() >> 11) * 0x1.0p-53;
    }
    /// True with probability `p`. Draws nothing at 0, so that a fault that is off changes nothing.
    [[nodiscard]] bool chance(double p) noexcept { return p > 0 && fraction() < p; }
    /// `low` to `high`, with the logarithm spread evenly: 1 to 10 as often as 10 to 100.
    [[nodiscard]] double log_uniform(double low, double high) noexcept {
        return low * std::pow(high / low, fraction());
    }
    /// How often a fault happens: never in half of all draws, else log_uniform() from that part of
    /// the bound on. Always draws two numbers, so that one fault more does not move those after it
    /// by much.
    [[nodiscard]] double rate_up_to(double bound, double lowest_part = 1e-2) noexcept {
        const bool on = (bits() & 1U) != 0;
        const double rate = log_uniform(bound * lowest_part, bound);
        return on ? rate : 0.0;
    }
    /// Shuffles `items` (Fisher and Yates).
    template <class Items>
    void shuffle(Items&& items) noexcept {
        for (std::size_t left = items.size(); left > 1; --left) {
            std::swap(items[left - 1], items[below(left)]);
        }
    }
    /// A generator of its own for a part of the world, so that its draws do not move the others'.
    [[nodiscard]] random split() noexcept { return random{bits()}; }

 private:
    static std::uint64_t splitmix(std::uint64_t& seed) noexcept {
        std::uint64_t z = seed += 0x9e37'79b9'7f4a'7c15U;
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9U;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebU;
        return z ^ (z >> 31);
    }

    std::array<std::uint64_t, 4> state_{};
};

}  // namespace sluice::sim
