// Receive buffer pool of one thread, and the leases of its buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/os/mapping.hpp"

struct io_uring_buf_ring;

namespace sluice::io {

/// `count` buffers of `size` bytes each, in one mapping; untouched ones use no memory. An engine
/// that lets the kernel choose buffers publishes them in its own ring
/// (io_uring_register_buf_ring(3)); otherwise the buffer used last is leased first, since it is
/// warm. One thread.
class buffer_pool {
 public:
    struct options {
        std::uint32_t count = 1024;  ///< a power of two, at most 32,768
        /// Bytes per buffer. A little over a power of two: a message of exactly 16 KiB does not
        /// fill it, so a short read shows that nothing is left; and buffers start in different sets
        /// of the cache.
        std::uint32_t size = (16 * 1024) + 64;
        /// Buffers in use at first; doubled each time they run out, so that memory follows demand
        /// and the kernel cycles through few, warm pages.
        std::uint32_t at_first = 64;
    };

    /// Throws std::bad_alloc; aborts on options out of range. A coroutine that waited for a buffer
    /// moves to `woken`.
    buffer_pool(options o, coro::resumable_list& woken);
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;
    ~buffer_pool();

    /// Moves all free buffers into the kernel's ring; returned ones go there from now on.
    void publish_in(io_uring_buf_ring* ring) noexcept;

    /// The number of a free buffer, or -1 if all are leased. Not while they are published.
    [[nodiscard]] int take() noexcept;
    /// Returns a buffer and wakes one waiter.
    void give_back(int id) noexcept;
    /// Puts more buffers in use. False if all are in use already.
    bool grow() noexcept;
    /// True if shrink() may have memory to give back, now or later: more buffers are in use than at
    /// first, and some were leased since it last gave all back.
    [[nodiscard]] bool has_grown() const noexcept {
        return in_use_ > options_.at_first && (most_leased_ > 0 || keeps_more_);
    }
    /// While none is leased, and if far fewer were needed since the last call than are in use:
    /// returns the memory of the others to the kernel (madvise(2), MADV_DONTNEED). Published
    /// buffers stay published, with pages that come back when the kernel fills them.
    void shrink() noexcept;
    /// Wakes one waiter if a buffer is free: the waiter woken before may not have taken it.
    void wake_one() noexcept {
        if (!waiting_.empty() && leased_ < in_use_) woken_.push_back(waiting_.pop_front());
    }
    /// `r` waits until a buffer is returned.
    void wait(coro::resumable& r) noexcept;
    /// The kernel has taken a buffer out of its ring.
    void taken_by_kernel() noexcept { count_lease(); }

    /// All bytes of buffer `id`.
    [[nodiscard]] mutable_bytes bytes(int id) noexcept;
    /// A word per buffer for its holder: the bytes received, and the next buffer in a queue.
    struct buffer_link {
        std::uint32_t length = 0;
        std::int32_t next = -1;
    };
    [[nodiscard]] buffer_link& link_of(int id) noexcept {
        return links_[static_cast<std::size_t>(id)];
    }

    /// Leased buffers.
    [[nodiscard]] std::uint32_t leased() const noexcept { return leased_; }
    [[nodiscard]] const options& limits() const noexcept { return options_; }
    /// How often an operation had to wait for a buffer.
    [[nodiscard]] std::uint64_t waits() const noexcept { return waits_; }

 private:
    void offer(int id) noexcept;
    void count_lease() noexcept {
        if (++leased_ > most_leased_) most_leased_ = leased_;
    }

    options options_;
    mapping memory_;
    std::vector<buffer_link> links_;
    std::int32_t free_ = -1;  // first of the free list, linked by buffer_link::next
    std::uint32_t in_use_ = 0;
    std::uint32_t leased_ = 0;
    std::uint32_t most_leased_ = 0;  // since the last shrink()
    bool keeps_more_ = false;        // the last shrink() left memory for a later one
    std::uint64_t waits_ = 0;
    io_uring_buf_ring* ring_ = nullptr;
    coro::resumable_list waiting_;
    coro::resumable_list& woken_;
};

/// Received bytes in a leased buffer. Returns it to the pool in its destructor, on the pool's
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
