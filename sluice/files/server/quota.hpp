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

    explicit quota(std::uint64_t limit) : is_limited_{limit != unlimited} {
        shared_->limit.store(limit);
    }

    /// Whether bytes are counted: without a limit at first, they never are.
    [[nodiscard]] bool is_limited() const noexcept { return is_limited_; }
    [[nodiscard]] std::uint64_t limit() const noexcept { return shared_->limit.load(); }
    [[nodiscard]] std::uint64_t taken() const noexcept { return shared_->taken.load(); }
    /// Another limit from now on, in all processes. What is taken stays. Only where bytes are
    /// counted.
    void set_limit(std::uint64_t limit) noexcept { shared_->limit.store(limit); }
    /// Counts the bytes of files that exist already, and of files that are removed.
    void add(std::uint64_t bytes) noexcept { shared_->taken.fetch_add(bytes); }
    void remove(std::uint64_t bytes) noexcept {
        // Files of other programs were never added.
        auto& taken = shared_->taken;
        std::uint64_t before = taken.load();
        while (!taken.compare_exchange_weak(before, before - std::min(before, bytes))) {
        }
    }

 private:
    friend class space_claim;
    [[nodiscard]] bool take(std::uint64_t bytes) noexcept {
        auto& taken = shared_->taken;
        const std::uint64_t limit = shared_->limit.load();
        std::uint64_t before = taken.load();
        do {
            if (before > limit || bytes > limit - before) return false;
        } while (!taken.compare_exchange_weak(before, before + bytes));
        return true;
    }

    struct state {
        std::atomic<std::uint64_t> taken = 0;
        std::atomic<std::uint64_t> limit = unlimited;
    };

    bool is_limited_;
    shared_object<state> shared_;
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
