// Set of page numbers, kept as ranges: the pages of a simulated file that have space on the disk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace sluice::sim {

class page_set {
 public:
    [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

    /// How many pages of [begin, end) are not in the set.
    [[nodiscard]] std::uint64_t missing(std::uint64_t begin, std::uint64_t end) const {
        std::uint64_t there = 0;
        for (auto at = first_after(begin); at != ranges_.end() && at->first < end; ++at) {
            there += std::min(at->second, end) - std::max(at->first, begin);
        }
        return end - begin - there;
    }

    /// Adds [begin, end); returns how many pages are new.
    std::uint64_t add(std::uint64_t begin, std::uint64_t end) {
        if (begin >= end) return 0;
        const auto added = missing(begin, end);
        auto at = first_after(begin);
        while (at != ranges_.end() && at->first <= end) {
            begin = std::min(begin, at->first);
            end = std::max(end, at->second);
            at = ranges_.erase(at);
        }
        ranges_.emplace(begin, end);
        count_ += added;
        return added;
    }

    /// Removes all pages from `begin` on; returns how many there were.
    std::uint64_t cut(std::uint64_t begin) {
        std::uint64_t removed = 0;
        while (!ranges_.empty() && ranges_.rbegin()->second > begin) {
            const auto last = std::prev(ranges_.end());
            const auto from = std::max(last->first, begin);
            removed += last->second - from;
            if (from == last->first) {
                ranges_.erase(last);
            } else {
                last->second = from;
            }
        }
        count_ -= removed;
        return removed;
    }

 private:
    using ranges = std::map<std::uint64_t, std::uint64_t>;  // begin to end

    /// The first range that ends at `page` or after it.
    [[nodiscard]] ranges::const_iterator first_after(std::uint64_t page) const {
        auto at = ranges_.upper_bound(page);
        if (at != ranges_.begin() && std::prev(at)->second >= page) --at;
        return at;
    }
    [[nodiscard]] ranges::iterator first_after(std::uint64_t page) {
        auto at = ranges_.upper_bound(page);
        if (at != ranges_.begin() && std::prev(at)->second >= page) --at;
        return at;
    }

    ranges ranges_;
    std::uint64_t count_ = 0;
};

}  // namespace sluice::sim
