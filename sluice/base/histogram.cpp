// Implements histogram: log-linear cells, indexed by a value's highest bit.
#include "sluice/base/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sluice {
namespace {

constexpr unsigned cell_bits = 7;
constexpr std::uint64_t cells_per_power = std::uint64_t{1} << cell_bits;

/// Values below 256 have a cell each; every power of two above has 128 cells.
std::size_t index_of(std::uint64_t value) noexcept {
    const auto bits = static_cast<unsigned>(std::bit_width(value));
    if (bits <= cell_bits + 1) return static_cast<std::size_t>(value);
    const unsigned shift = bits - cell_bits - 1;
    return static_cast<std::size_t>(shift * cells_per_power + (value >> shift));
}

std::uint64_t upper_bound_of(std::size_t index) noexcept {
    const std::uint64_t place = index;
    if (place < 2 * cells_per_power) return place;
    const auto shift = static_cast<unsigned>(place / cells_per_power - 1);
    const std::uint64_t leading = place - shift * cells_per_power;
    return (leading << shift) + ((std::uint64_t{1} << shift) - 1);
}

}  // namespace

void histogram::add(std::uint64_t nanoseconds, std::uint64_t times) {
    if (times == 0) return;
    const auto index = index_of(nanoseconds);
    if (index >= counts_.size()) counts_.resize(index + 1);
    counts_[index] += times;
    count_ += times;
    max_ = std::max(max_, nanoseconds);
}

void histogram::add(const histogram& other) {
    if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
    for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    max_ = std::max(max_, other.max_);
}

std::uint64_t histogram::at(double share) const noexcept {
    const double wanted = std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_));
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        below += counts_[i];
        if (below > 0 && static_cast<double>(below) >= wanted)
            return std::min(upper_bound_of(i), max_);
    }
    return max_;
}

std::vector<histogram::cell> histogram::cells() const {
    std::vector<cell> found;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        if (counts_[i] > 0) found.push_back({.most = upper_bound_of(i), .count = counts_[i]});
    }
    return found;
}

}  // namespace sluice
