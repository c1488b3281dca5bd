// Ring of io_uring: its queues, shared with the kernel, and the calls on it.
#pragma once

#include <liburing.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <span>
#include <utility>

#include "sluice/base/planted_bug.hpp"
#include "sluice/base/result.hpp"
#include "sluice/base/sometimes.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mapping.hpp"

namespace sluice::io {

/// Owns a ring (io_uring(7)) and makes its system calls by os::sys(). The inline functions of
/// liburing fill its entries and read its completions. The thread that opens it uses it and lets it
/// die: a registered descriptor is the thread's own.
class ring {
 public:
    ring() noexcept = default;
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring() { close(); }

    /// io_uring_setup(2), and the mapping of both queues. The kernel fills in the rest of
    /// `parameters`. Once; an errno of either call, ENOSYS before Linux 5.4.
    [[nodiscard]] result<void> open(unsigned entries, io_uring_params& parameters) noexcept;
    /// The kernel cancels what is in flight, and takes no memory from then on. Once is enough.
    void close() noexcept;
    /// Saves a look-up of the descriptor per call (IORING_REGISTER_RING_FDS). False if the kernel
    /// cannot: the ring works without.
    bool register_descriptor() noexcept;
    /// Enables a ring that was opened with IORING_SETUP_R_DISABLED, for these opcodes alone, and to
    /// register buffers. Errno of io_uring_register(2).
    [[nodiscard]] result<void> enable_for(std::span<const std::uint8_t> operations);
    /// io_uring_register(2): n or -errno.
    int register_with(unsigned operation, void* argument, unsigned count) noexcept;

    /// An entry of the submission queue, submitted by the next call; null if the queue is full.
    /// io_uring_prep_*(3) overwrites all of it but its user data.
    [[nodiscard]] io_uring_sqe* next_entry() noexcept { return io_uring_get_sqe(&queues_); }

    /// @name io_uring_enter(2)
    /// The entries that were taken, or -errno: entries that the kernel refuses for the moment
    /// (EINTR, EAGAIN, EBUSY) stay queued.
    /// @{
    int submit() noexcept { return enter(0, 0, nullptr); }
    /// Also makes the kernel post the completions that are due.
    int submit_and_get_events() noexcept { return enter(0, IORING_ENTER_GETEVENTS, nullptr); }
    /// Also waits until there is a completion, or for `timeout`; null: without end. It may return
    /// earlier.
    int submit_and_wait(const timespec* timeout) noexcept;
    /// @}

    /// Calls `take(const io_uring_cqe&)` for each completion that is posted, and frees its place in
    /// the queue after the last.
    template <class Take>
    void take_completions(Take take) noexcept;
    /// True if all completions were taken that the kernel has made: there was no call since, and
    /// none had found the queue full.
    [[nodiscard]] bool is_drained() const noexcept { return drained_; }

 private:
    int enter(unsigned awaited, unsigned flags, const io_uring_getevents_arg* argument) noexcept;
    void point_into(const io_uring_params& parameters) noexcept;
    /// True if the queue overflowed, or work is due: the kernel sees to it with GETEVENTS.
    [[nodiscard]] bool needs_flush() const noexcept {
        constexpr unsigned either = IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN;
        return (IO_URING_READ_ONCE(*queues_.sq.kflags) & either) != 0;
    }

    unique_fd fd_;
    mapping both_;     // the queues but for the submission queue's entries
    mapping entries_;  // of the submission queue
    io_uring queues_{};
    int entered_ = -1;  // the descriptor for io_uring_enter(2): fd_, or a registered one
    unsigned enter_flags_ = 0;
    bool drained_ = true;
};

template <class Take>
void ring::take_completions(Take take) noexcept {
    const bool overflowed = io_uring_cq_has_overflow(&queues_);
    sometimes(rare_path::uring_overflow, overflowed);
    unsigned head = 0;
    unsigned seen = 0;
    const io_uring_cqe* completion = nullptr;
    io_uring_for_each_cqe(&queues_, head, completion) {
        if (++seen == 1 && overflowed && planted(bug::chat_uring_overflow_dropped)) continue;
        take(*completion);
    }
    io_uring_cq_advance(&queues_, seen);
    drained_ = !overflowed;
}

}  // namespace sluice::io
