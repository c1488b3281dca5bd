// Sessions that the threads of the pool model run in turn, and what those threads wait on.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "sluice/base/intrusive_heap.hpp"
#include "sluice/base/intrusive_list.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/epoll.hpp"
#include "sluice/io/session_engine.hpp"
#include "sluice/io/slot_table.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mutex.hpp"
#include "sluice/os/wakeup.hpp"

namespace sluice::io {

/// Sessions with an engine each, which any thread can run. While a session waits, its descriptors
/// are registered with one epoll instance, and its thread is free: next() gives a free thread the
/// ready session that has waited longest. The earliest deadline of all sessions is one timer in the
/// same instance (timerfd_create(2)). Any thread, unless said otherwise.
class session_set {
 public:
    class entry;

 private:
    struct entry_tag;
    /// A session's wait while no thread runs it. Under the lock of the set.
    struct parked : heap_hook<parked> {
        explicit parked(entry& s) noexcept : owner{s} {}
        friend bool operator<(const parked& a, const parked& b) noexcept {
            return a.until < b.until;
        }

        entry& owner;
        bool active = true;
        time_point until = never;
    };

 public:
    /// A session. Belongs to the thread that runs it, and to the set while it is parked.
    class entry : public list_hook<entry_tag> {
     public:
        /// On the thread that adds it. The set outlives it.
        explicit entry(session_set& owner);
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;

        [[nodiscard]] session_engine& engine() noexcept { return engine_; }
        /// The notice that it knows.
        [[nodiscard]] unsigned known() const noexcept { return known_; }
        void learn(unsigned notice) noexcept { known_ = notice; }

     protected:
        ~entry() = default;

     private:
        friend class session_set;

        session_set& owner_;
        std::uint64_t number_;
        session_engine engine_;
        unsigned known_ = 0;
        parked wait_{*this};
    };

    /// Errno of epoll_create1(2), eventfd(2) or timerfd_create(2).
    [[nodiscard]] static result<std::unique_ptr<session_set>> create();
    session_set(const session_set&) = delete;
    session_set& operator=(const session_set&) = delete;
    ~session_set() = default;

    /// One thread, before the first notice: a thread runs `s` once `socket` is readable or
    /// writable. ENOMEM; errno of epoll_ctl(2).
    [[nodiscard]] result<void> add(entry& s, int socket);
    /// Waits for the next session to be run, on the calling thread. nullptr after the first notice
    /// once no session is left.
    [[nodiscard]] entry* next() noexcept;
    /// By the thread that runs `s`: parks it until its engine is due, or until its next turn if it
    /// `can_go_on`. False if it is to be run on: it does not know the notice, or waits for nothing.
    [[nodiscard]] bool park(entry& s, bool can_go_on) noexcept;
    /// By the thread that runs `s`: it has ended.
    void remove(entry& s) noexcept;

    /// Has every session run that does not know `notice`, which is more than the last one. The
    /// first is 1.
    void notify(unsigned notice) noexcept;
    [[nodiscard]] unsigned notice() const noexcept { return notice_; }

 private:
    session_set(epoll events, os::wakeup wakeup, unique_fd timer);

    void wake(entry& s) noexcept;
    [[nodiscard]] entry* claim(std::uint64_t number) noexcept;
    [[nodiscard]] entry* claim_late() noexcept;
    [[nodiscard]] entry* claim_not_notified() noexcept;
    // Under the lock.
    [[nodiscard]] bool unpark(entry& s) noexcept;
    void wait_until(entry& s, time_point when) noexcept;
    void set_timer(time_point when) noexcept;
    void close_if_empty() noexcept;
    void wake_threads() noexcept;

    slot_table slots_;
    epoll events_;
    os::wakeup wakeup_;
    unique_fd timer_fd_;
    os::mutex mutex_;
    intrusive_heap<parked> deadlines_;   // parked sessions with a deadline
    time_point timer_deadline_ = never;  // never later than the first deadline
    std::unordered_map<std::uint64_t, entry*> entries_;
    intrusive_list<entry, entry_tag> notified_;      // all but those in not_notified_
    intrusive_list<entry, entry_tag> not_notified_;  // not run since the last notice
    std::uint64_t next_number_ = 1;
    bool closed_ = false;  // no session is left, and none will come
    std::atomic<unsigned> notice_ = 0;
};

}  // namespace sluice::io
