// Quota of a store in bytes, shared by all threads and forked processes that serve it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>

#include "sluice/base/planted_bug.hpp"
#include "sluice/os/shared_object.hpp"

namespace sluice::files {

class space_claim;

/// Bytes that are taken, of a limit. Any thread.
class quota {
 public:
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

    explicit quota(std::uint64_t limit) : limit_{limit} {}

    [[nodiscard]] bool is_limited() const noexcept { return limit_ != unlimited; }
    [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_->load(); }
    /// Counts the bytes of files that exist already, and of files that are removed.
    void add(std::uint64_t bytes) noexcept { taken_->fetch_add(bytes); }
    void remove(std::uint64_t bytes) noexcept {
        // Files of other programs were never added.
        std::uint64_t before = taken_->load();
        while (!taken_->compare_exchange_weak(before, before - std::min(before, bytes))) {
        }
    }

 private:
    friend class space_claim;
    [[nodiscard]] bool take(std::uint64_t bytes) noexcept {
        std::uint64_t before = taken_->load();
        do {
            if (before > limit_ || bytes > limit_ - before) return false;
        } while (!taken_->compare_exchange_weak(before, before + bytes));
        return true;
    }

    std::uint64_t limit_;
    shared_object<std::atomic<std::uint64_t>> taken_;
};

/// A claim on the quota for a file that is being received. Its destructor gives back the rest.
class space_claim {
 public:
    explicit space_claim(quota& of) noexcept : of_{&of} {}
    space_claim(space_claim&& other) noexcept
        : of_{other.of_}, held_{std::exchange(other.held_, 0)} {}
    space_claim& operator=(space_claim&&) = delete;
    space_claim(const space_claim&) = delete;
    space_claim& operator=(const space_claim&) = delete;
    ~space_claim() { settle(0); }

    /// Claims `bytes` in all. False, without a change, where the quota does not have them.
    [[nodiscard]] bool grow_to(std::uint64_t bytes) noexcept {
        if (!of_->is_limited() || bytes <= held_) return true;
        if (!of_->take(bytes - held_)) return false;
        held_ = bytes;
        return true;
    }
    /// Ends the claim: `used` bytes stay taken, the rest is given back.
    void settle(std::uint64_t used) noexcept {
        if (used == 0 && planted(bug::files_claim_lost)) return;
        const auto held = std::exchange(held_, 0);
        if (held > used) of_->remove(held - used);
    }

 private:
    quota* of_;
    std::uint64_t held_ = 0;
};

}  // namespace sluice::files
