// Defines latencies, a histogram of durations with an error below two percent.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "sluice/io/timer.hpp"

namespace sluice::compute {

/// Counts durations in buckets whose width is a 64th of their size. One thread.
class latencies {
 public:
    void add(io::duration d) noexcept {
        const auto ns = static_cast<std::uint64_t>(d.count() < 0 ? 0 : d.count());
        ++buckets_[bucket_of(ns)];
        ++count_;
        most_ = std::max(most_, ns);
    }
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
    [[nodiscard]] io::duration max() const noexcept { return io::duration{most_}; }
    /// The quantile `share` (0 to 1), rounded up to its bucket's end; zero without durations.
    [[nodiscard]] io::duration at(double share) const noexcept {
        // Nearest rank: the smallest duration that at least this share does not exceed.
        const auto rank = std::ceil(share * static_cast<double>(count_) - 1e-9);
        const auto wanted = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rank));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_.size(); ++i) {
            seen += buckets_[i];
            if (seen >= wanted) {
                const auto top = top_of(i);
                return io::duration{top < most_ ? top : most_};
            }
        }
        return {};
    }

 private:
    static constexpr unsigned sub_bits = 6;  // 2^6 buckets per power of two
    static constexpr std::size_t sub_buckets = std::size_t{1} << sub_bits;

    static std::size_t bucket_of(std::uint64_t ns) noexcept {
        if (ns < sub_buckets) return static_cast<std::size_t>(ns);
        const auto shift = static_cast<unsigned>(std::bit_width(ns)) - sub_bits - 1;
        return (std::size_t{shift} + 1) * sub_buckets +
               static_cast<std::size_t>((ns >> shift) - sub_buckets);
    }
    static std::uint64_t top_of(std::size_t bucket) noexcept {
        if (bucket < sub_buckets) return bucket;
        const auto shift = bucket / sub_buckets - 1;
        return ((bucket % sub_buckets + sub_buckets + 1) << shift) - 1;
    }

    std::array<std::uint64_t, sub_buckets * (64 - sub_bits + 1)> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t most_ = 0;
};

}  // namespace sluice::compute
