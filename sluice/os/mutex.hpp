// Mutex and condition variable whose waits go through the kernel of the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <mutex>

#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// A std::mutex; only a wait for another thread is the kernel's affair. Any thread. For
/// std::lock_guard, std::scoped_lock and std::unique_lock.
class mutex {
 public:
    void lock() noexcept {
        if (!mutex_.try_lock()) sys().lock_contended(mutex_);
    }
    [[nodiscard]] bool try_lock() noexcept { return mutex_.try_lock(); }
    void unlock() noexcept { mutex_.unlock(); }

 private:
    std::mutex mutex_;
};

/// A condition variable for std::unique_lock<mutex> (futex(2)). Any thread; it outlives its waits.
class condition {
 public:
    condition() noexcept = default;
    condition(const condition&) = delete;
    condition& operator=(const condition&) = delete;
    ~condition() = default;

    /// Waits until `done()`, which is called with the lock held.
    template <class Predicate>
    void wait(std::unique_lock<mutex>& lock, Predicate done) {
        while (!done()) wait_once(lock, nullptr);
    }
    /// Waits until `done()` or `until`. The last value of `done()`.
    template <class Predicate>
    bool wait_until(std::unique_lock<mutex>& lock, clock::time_point until, Predicate done) {
        while (!done()) {
            const auto left = until - clock::now();
            if (left <= clock::duration::zero()) return done();
            const timespec timeout = timespec_of(left);
            wait_once(lock, &timeout);
        }
        return true;
    }
    /// The same for a time from now.
    template <class Predicate>
    bool wait_for(std::unique_lock<mutex>& lock, clock::duration time, Predicate done) {
        return wait_until(lock, clock::now() + time, std::move(done));
    }

    /// Wakes one waiter. A system call only if there is one.
    void notify_one() noexcept { notify(1); }
    /// Wakes all waiters.
    void notify_all() noexcept { notify(INT32_MAX); }

 private:
    void wait_once(std::unique_lock<mutex>& lock, const timespec* timeout) {
        // In this order, and all sequentially consistent: a notify() that finds no waiter counted
        // comes before the load of its turn, and then the wait does not begin.
        waiters_.fetch_add(1);
        const std::uint32_t seen = turn_.load();
        lock.unlock();
        static_cast<void>(sys().futex_wait(turn_, seen, timeout));
        waiters_.fetch_sub(1);
        lock.lock();
    }
    void notify(int count) noexcept {
        turn_.fetch_add(1);
        if (waiters_.load() > 0) sys().futex_wake(turn_, count);
    }

    std::atomic<std::uint32_t> turn_ = 0;
    std::atomic<std::uint32_t> waiters_ = 0;
};

}  // namespace sluice::os
