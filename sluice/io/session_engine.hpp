// Engine of one session of the pool model, run by any free thread.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/io/engine.hpp"
#include "sluice/io/epoll.hpp"

namespace sluice::io {

/// Attempts operations as the epoll engine does, but never waits: when none of its coroutines is
/// ready, watch() registers their descriptors with an epoll instance that all sessions share, and
/// the thread is free for another session. The thread that gets the event runs this engine next.
/// Work that burns CPU or waits for a disk is done on that thread.
///
/// One thread at a time: a lock of the caller's orders one run() before the next. Any thread may
/// call wake() and post().
class session_engine final : public engine {
 public:
    /// Called by wake(), on any thread: run() is due.
    using waker = void (*)(void* owner) noexcept;

    /// Its events carry `data`. `slots`, `events` and `owner` outlive it.
    session_engine(slot_table& slots, epoll& events, std::uint64_t data, waker on_wake,
                   void* owner);
    ~session_engine() override;

    [[nodiscard]] engine_kind which() const noexcept override { return engine_kind::epoll; }
    [[nodiscard]] bool works_in_place() const noexcept override { return true; }
    void wake() noexcept override { on_wake_(owner_); }

    /// Before run(): takes the calling thread's buffers and queues the parked operations. A session
    /// that holds leases keeps the pool they came from, and leaves `buffers` alone.
    void begin_run(std::unique_ptr<buffer_pool>& buffers) noexcept;
    /// Runs ready coroutines, for some turns at most.
    void run() noexcept;
    /// After run(): returns the buffers, unless the session holds leases of them.
    void end_run(std::unique_ptr<buffer_pool>& pool) noexcept;

    /// Between end_run() and begin_run(): registers one event (EPOLLONESHOT) per awaited
    /// descriptor. False if an operation failed for that, and run() is due.
    [[nodiscard]] bool watch() noexcept;
    /// `fd` is registered with the epoll instance already.
    void mark_registered(int fd) noexcept { slot(fd).registered = true; }
    /// When run() is due without an event.
    [[nodiscard]] time_point until() noexcept { return timers().next(); }
    /// True if run() is due at once.
    [[nodiscard]] bool is_due() const noexcept { return is_busy(); }

 private:
    bool start(op& o) noexcept override;
    bool start_queued(op& o) noexcept override { return try_or_park(o); }
    void withdraw(op& o) noexcept override;
    void wait(time_point until) noexcept override;
    void on_detach(int fd, fd_slot& s) noexcept override;

    void park(op& o) noexcept;
    bool try_or_park(op& o) noexcept;
    void fail(op& o, int negative_errno) noexcept;

    epoll& events_;
    std::uint64_t data_;
    waker on_wake_;
    void* owner_;
    coro::resumable_list parked_;
};

}  // namespace sluice::io
