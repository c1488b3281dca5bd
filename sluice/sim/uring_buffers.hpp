// Buffers that a program gives to a simulated ring: provided ones, and registered ones.
#pragma once

#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/sim/lent_memory.hpp"

namespace sluice::sim {

/// A ring of provided buffers (io_uring_register(2), IORING_REGISTER_PBUF_RING), in memory of the
/// program.
class provided_buffers {
 public:
    explicit provided_buffers(const io_uring_buf_reg& r) noexcept
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,performance-no-int-to-ptr)
        : ring_{reinterpret_cast<io_uring_buf_ring*>(r.ring_addr)},
          mask_{static_cast<std::uint16_t>(r.ring_entries - 1)} {}

    /// The oldest buffer that was provided, which stays there; none is left: nullptr.
    [[nodiscard]] const io_uring_buf* first() noexcept {
        scribble_new();
        return head_ == seen_ ? nullptr : at(head_);
    }
    /// Takes the oldest one out.
    void take() noexcept { ++head_; }
    /// Scribbles over buffers that were provided since the last call: the program has given them
    /// away.
    void scribble_new() noexcept {
        // A message that is read too early or too late is found by its beginning.
        constexpr std::size_t scribbled = 256;
        for (const auto tail = io_uring_smp_load_acquire(&ring_->tail); seen_ != tail; ++seen_) {
            const mutable_bytes memory = bytes_of(*at(seen_));
            lent_memory::scribble(memory.first(std::min(memory.size(), scribbled)));
        }
    }
    [[nodiscard]] static mutable_bytes bytes_of(const io_uring_buf& b) noexcept {
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast,performance-no-int-to-ptr)
        return {reinterpret_cast<std::byte*>(b.addr), b.len};
    }

 private:
    [[nodiscard]] const io_uring_buf* at(std::uint16_t index) const noexcept {
        // The array has no size in C++. NOLINTNEXTLINE(bugprone-casting-through-void)
        return static_cast<const io_uring_buf*>(static_cast<const void*>(ring_)) + (index & mask_);
    }

    io_uring_buf_ring* ring_;
    std::uint16_t mask_;
    std::uint16_t head_ = 0;
    std::uint16_t seen_ = 0;  // behind the last one that is known
};

/// What io_uring_register(2) has registered with one ring. Results are n or -errno.
class uring_buffers {
 public:
    int add_group(const io_uring_buf_reg& r) {
        if (r.ring_entries == 0 || (r.ring_entries & (r.ring_entries - 1)) != 0) return -EINVAL;
        return groups_.try_emplace(r.bgid, r).second ? 0 : -EEXIST;
    }
    int remove_group(std::uint16_t id) { return groups_.erase(id) > 0 ? 0 : -ENOENT; }
    /// nullptr: there is no such group.
    [[nodiscard]] provided_buffers* group(std::uint16_t id) {
        const auto found = groups_.find(id);
        return found == groups_.end() ? nullptr : &found->second;
    }
    void scribble_new() noexcept {
        for (auto& [id, buffers] : groups_) buffers.scribble_new();
    }

    /// A table without buffers.
    int make_table(std::size_t size) {
        if (!table_.empty()) return -EBUSY;
        table_.resize(size);
        return 0;
    }
    int update(std::size_t from, std::vector<const_bytes> with) {
        if (from > table_.size() || with.size() > table_.size() - from) return -EINVAL;
        std::ranges::move(with, table_.begin() + static_cast<std::ptrdiff_t>(from));
        return static_cast<int>(with.size());
    }
    /// True if all of `part` lies in the registered buffer `index`.
    [[nodiscard]] bool is_within(const_bytes part, std::size_t index) const noexcept {
        if (index >= table_.size()) return false;
        const const_bytes& whole = table_[index];
        return part.data() >= whole.data() &&
               part.data() + part.size() <= whole.data() + whole.size();
    }

 private:
    std::map<std::uint16_t, provided_buffers> groups_;
    std::vector<const_bytes> table_;
};

}  // namespace sluice::sim
