// The engine of one session of the pool model: whichever thread is free runs it.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/io/engine.hpp"
#include "sluice/io/epoll.hpp"

namespace sluice::io {

/// Attempts operations as the epoll engine does, but waits for nothing itself: when none of its
/// coroutines can go on, watch() registers what they wait for with an epoll instance that all
/// sessions share, and the thread is free for another session. A thread that is told by that
/// instance runs this engine next. Work that burns CPU or waits for a disk is done on that thread.
///
/// One thread at a time: a lock of the caller's orders one run() before the next. wake() and post()
/// may be called from any thread.
class session_engine final : public engine {
 public:
    /// Called by wake(), on any thread: run() is due.
    using waker = void (*)(void* owner) noexcept;

    /// Its events carry `data`. `slots`, `events` and `owner` outlive it.
    session_engine(slot_table& slots, epoll& events, std::uint64_t data, waker wakes, void* owner);
    ~session_engine() override;

    [[nodiscard]] engine_kind which() const noexcept override { return engine_kind::epoll; }
    [[nodiscard]] bool works_in_place() const noexcept override { return true; }
    void wake() noexcept override { wake_(owner_); }

    /// Before run(): lends it the buffers of the calling thread, and queues what waited. A session
    /// that holds leases keeps the buffers that they came from, and `buffers` stay.
    void take_up(std::unique_ptr<buffer_pool>& buffers) noexcept;
    /// Runs what can go on, for some turns at most.
    void run() noexcept;
    /// After run(): gives the buffers back, unless the session holds leases of them.
    void lay_down(std::unique_ptr<buffer_pool>& buffers) noexcept;

    /// Between lay_down() and take_up(): registers one event (EPOLLONESHOT) for each descriptor
    /// that is waited for. False if an operation failed for that, and run() is due.
    [[nodiscard]] bool watch() noexcept;
    /// Tells that `fd` stands in the epoll instance already.
    void is_watched(int fd) noexcept { slot(fd).registered = true; }
    /// When run() is due although nothing happens.
    [[nodiscard]] time_point until() noexcept { return timers().next(); }
    /// Whether run() is due at once.
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
    waker wake_;
    void* owner_;
    coro::resumable_list parked_;
};

}  // namespace sluice::io
