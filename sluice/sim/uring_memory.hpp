// Memory that a simulated ring shares with its program: both queues of io_uring.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "sluice/os/kernel.hpp"

namespace sluice::sim {

/// The kernel's side of the queues. They lie in a memfd of the real kernel, as the program maps
/// them for real, and may unmap them while the ring lives.
class uring_memory {
 public:
    /// Numbers of entries are powers of two. `real` outlives it. Null if there is no memory.
    [[nodiscard]] static std::unique_ptr<uring_memory> make(os::kernel& real, unsigned submissions,
                                                            unsigned completions);
    uring_memory(const uring_memory&) = delete;
    uring_memory& operator=(const uring_memory&) = delete;
    ~uring_memory();

    /// Fills in what io_uring_setup(2) tells of them.
    void describe(io_uring_params& into) const noexcept;
    /// mmap(2) at one of IORING_OFF_*.
    int map(void*& into, void* where, std::size_t size, int protection, int flags,
            std::uint64_t at) noexcept;

    /// Entries that the program has queued.
    [[nodiscard]] unsigned submitted() const noexcept;
    /// The oldest of them, whose place is free from now on.
    [[nodiscard]] io_uring_sqe take_entry() noexcept;
    /// Completions that the program has not taken.
    [[nodiscard]] unsigned completed() const noexcept;
    [[nodiscard]] bool is_full() const noexcept { return completed() >= completions_; }
    /// Adds a completion; it is not full.
    void post(const io_uring_cqe& completion) noexcept;
    /// Tells the program whether there are completions that found no place.
    void set_overflow(bool overflowed) noexcept;
    [[nodiscard]] unsigned completion_entries() const noexcept { return completions_; }

 private:
    struct indices {
        unsigned head = 0;
        unsigned tail = 0;
        unsigned mask = 0;
        unsigned entries = 0;
        unsigned flags = 0;
        unsigned lost = 0;
    };
    struct queues {
        indices sq;
        indices cq;
    };

    uring_memory(os::kernel& real, int fd, unsigned submissions, unsigned completions) noexcept;
    [[nodiscard]] queues& shared() const noexcept;
    template <class T>
    [[nodiscard]] T* at(std::size_t offset) const noexcept;

    os::kernel& real_;
    int fd_;
    unsigned submissions_;
    unsigned completions_;
    std::size_t order_at_;    // the array of the submission queue
    std::size_t entries_at_;  // what it refers to
    std::size_t size_;
    void* start_ = nullptr;
};

}  // namespace sluice::sim
