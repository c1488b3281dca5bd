// How much room a store may take, shared by all threads and forked processes that serve it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>

#include "sluice/base/shared_object.hpp"

namespace sluice::files {

class room_claim;

/// Bytes that are taken, of a limit. Any thread.
class quota {
 public:
    static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

    explicit quota(std::uint64_t limit) : limit_{limit} {}

    [[nodiscard]] bool is_limited() const noexcept { return limit_ != unlimited; }
    [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
    [[nodiscard]] std::uint64_t taken() const noexcept { return taken_->load(); }
    /// What is there already, and what is there no more.
    void add(std::uint64_t bytes) noexcept { taken_->fetch_add(bytes); }
    void remove(std::uint64_t bytes) noexcept {
        // What was put there by others was never added.
        std::uint64_t before = taken_->load();
        while (!taken_->compare_exchange_weak(before, before - std::min(before, bytes))) {
        }
    }

 private:
    friend class room_claim;
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

/// Room that is kept for a file that is coming. What was not settled is given back when it dies.
class room_claim {
 public:
    explicit room_claim(quota& of) noexcept : of_{&of} {}
    room_claim(room_claim&& other) noexcept
        : of_{other.of_}, held_{std::exchange(other.held_, 0)} {}
    room_claim& operator=(room_claim&&) = delete;
    room_claim(const room_claim&) = delete;
    room_claim& operator=(const room_claim&) = delete;
    ~room_claim() { settle(0); }

    /// Holds `bytes` in all from now on. False, and nothing is changed, where there is no room.
    [[nodiscard]] bool grow_to(std::uint64_t bytes) noexcept {
        if (!of_->is_limited() || bytes <= held_) return true;
        if (!of_->take(bytes - held_)) return false;
        held_ = bytes;
        return true;
    }
    /// So much has been used for good.
    void settle(std::uint64_t used) noexcept {
        const auto held = std::exchange(held_, 0);
        if (held > used) of_->remove(held - used);
    }

 private:
    quota* of_;
    std::uint64_t held_ = 0;
};

}  // namespace sluice::files
