// The receive buffers of one thread, lent out one by one, and the leases that bring them home.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/base/mapping.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/ready_queue.hpp"

struct io_uring_buf_ring;

namespace sluice::io {

/// `count` buffers of `size` bytes each, in one mapping of which only what was used is resident.
/// An engine that lets the kernel choose buffers publishes them in a ring of its own
/// (io_uring_register_buf_ring(3)); otherwise the one used last is lent first, since it is warm.
/// One thread.
class buffer_pool {
 public:
    struct options {
        std::uint32_t count = 1024;  ///< a power of two, at most 32,768
        /// Bytes a buffer. A little over a power of two: a message of exactly 16 KiB does not fill
        /// it, so the read says that nothing is left; and the starts of buffers fall on different
        /// sets of the cache.
        std::uint32_t size = (16 * 1024) + 64;
        /// How many are in use at first; doubled each time they run out, so that memory follows
        /// need and the kernel goes round in few, warm pages.
        std::uint32_t at_first = 64;
    };

    /// Throws std::bad_alloc, or stops with a sentence on options out of range. `woken` is where
    /// those who waited for a buffer go.
    buffer_pool(options o, coro::resumable_list& woken);
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;
    ~buffer_pool();

    /// Moves all buffers that are at home into the kernel's ring and keeps them there from now on.
    void publish_in(io_uring_buf_ring* ring) noexcept;

    /// The number of a free buffer, or -1 when all are lent. Not while they are published.
    [[nodiscard]] int take() noexcept;
    /// Brings a buffer home and wakes one that waits.
    void give_back(int id) noexcept;
    /// Puts more buffers in use. False when all are in use already.
    bool grow() noexcept;
    /// Whether shrink() may have memory to give back: more buffers are in use than at first, and
    /// some were lent since the last call.
    [[nodiscard]] bool has_grown() const noexcept {
        return in_use_ > options_.at_first && most_lent_ > 0;
    }
    /// While none is lent, and if far fewer were needed since the last call than are in use: gives
    /// the memory of the others back to the system (madvise(2), MADV_DONTNEED). Those that are
    /// published stay so, with pages that come back when the kernel fills them.
    void shrink() noexcept;
    /// Wakes one that waits if a buffer is at home: whoever was woken for it may have gone without.
    void wake_one() noexcept {
        if (!waiting_.empty() && lent_ < in_use_) woken_.push_back(waiting_.pop_front());
    }
    /// `r` waits until a buffer comes home.
    void wait(coro::resumable& r) noexcept;
    /// The kernel has taken buffer `id` out of its ring.
    void taken_by_kernel() noexcept { count_lent(); }

    /// The bytes of buffer `id`, all of them.
    [[nodiscard]] mutable_bytes bytes(int id) noexcept;
    /// A word a buffer for whoever holds it: how full it is, and which comes after it in a queue.
    struct note {
        std::uint32_t length = 0;
        std::int32_t next = -1;
    };
    [[nodiscard]] note& note_of(int id) noexcept { return notes_[static_cast<std::size_t>(id)]; }

    /// Buffers that somebody holds.
    [[nodiscard]] std::uint32_t lent() const noexcept { return lent_; }
    [[nodiscard]] const options& limits() const noexcept { return options_; }
    /// How often somebody had to wait for a buffer.
    [[nodiscard]] std::uint64_t waits() const noexcept { return waits_; }

 private:
    void offer(int id) noexcept;
    void count_lent() noexcept {
        if (++lent_ > most_lent_) most_lent_ = lent_;
    }

    options options_;
    mapping memory_;
    std::vector<note> notes_;
    std::int32_t free_ = -1;  // first of the free list, linked by note::next
    std::uint32_t in_use_ = 0;
    std::uint32_t lent_ = 0;
    std::uint32_t most_lent_ = 0;  // since the last shrink()
    std::uint64_t waits_ = 0;
    io_uring_buf_ring* ring_ = nullptr;
    coro::resumable_list waiting_;
    coro::resumable_list& woken_;
};

/// Received bytes on loan. Goes home to its pool when it dies, which must happen on the pool's
/// thread and before the pool dies. Empty when moved from, or at the end of a stream.
class lease {
 public:
    lease() noexcept = default;
    lease(buffer_pool& pool, int id, std::uint32_t length) noexcept
        : pool_{&pool}, id_{id}, length_{length} {}
    lease(lease&& other) noexcept
        : pool_{std::exchange(other.pool_, nullptr)},
          id_{other.id_},
          length_{std::exchange(other.length_, 0)} {}
    lease& operator=(lease&& other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(id_, other.id_);
        std::swap(length_, other.length_);
        return *this;
    }
    lease(const lease&) = delete;
    lease& operator=(const lease&) = delete;
    ~lease() {
        if (pool_ != nullptr) pool_->give_back(id_);
    }

    [[nodiscard]] bool empty() const noexcept { return length_ == 0; }
    [[nodiscard]] const_bytes bytes() const noexcept {
        if (pool_ == nullptr) return {};
        return pool_->bytes(id_).first(length_);
    }
    [[nodiscard]] std::string_view text() const noexcept { return as_text(bytes()); }

 private:
    buffer_pool* pool_ = nullptr;
    int id_ = -1;
    std::uint32_t length_ = 0;
};

}  // namespace sluice::io
