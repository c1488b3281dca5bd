// A thread with all signals blocked, a job on one, and thread priorities.
#pragma once

#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// A thread that runs with all signals blocked: they belong to the threads that handle them. It is
/// joined or detached before it dies.
class thread {
 public:
    thread() noexcept = default;
    thread(thread&& other) noexcept
        : id_{other.id_}, started_{std::exchange(other.started_, false)} {}
    thread& operator=(thread&&) = delete;
    thread(const thread&) = delete;
    thread& operator=(const thread&) = delete;
    ~thread() { check(!started_, "a thread is destroyed before it was joined"); }

    /// Runs `f`, which throws nothing, on a new thread. `stack` is in bytes; 0 is the usual size.
    /// EAGAIN or ENOMEM if there can be no more threads; then another start() is allowed.
    template <class F>
    [[nodiscard]] result<void> start(F f, std::size_t stack = 0) noexcept {
        std::unique_ptr<F> run{new (std::nothrow) F(std::move(f))};
        if (run == nullptr) return failure_of(ENOMEM);
        const int failed = sys().start_thread(id_, &enter<F>, run.get(), stack);
        if (failed < 0) return failure_of(-failed);
        static_cast<void>(run.release());  // enter() owns it
        started_ = true;
        return {};
    }
    /// True between start() and join().
    [[nodiscard]] bool started() const noexcept { return started_; }
    /// Waits for its end; no effect on one that was not started. Blocks.
    void join() noexcept {
        if (std::exchange(started_, false)) sys().join_thread(id_);
    }
    /// Lets it run on, in place of join(); it ends with the process at the latest.
    void detach() noexcept {
        if (std::exchange(started_, false)) sys().detach_thread(id_);
    }

 private:
    template <class F>
    static void enter(void* owned) {
        const std::unique_ptr<F> run{static_cast<F*>(owned)};
        (*run)();
    }

    pthread_t id_{};
    bool started_ = false;
};

/// A function that runs on a thread of its own.
class background_job {
 public:
    background_job() noexcept = default;
    background_job(const background_job&) = delete;
    background_job& operator=(const background_job&) = delete;
    ~background_job() { static_cast<void>(wait()); }

    /// Runs `f`, which returns result<void>; not at all if no thread can be started. ENOMEM if `f`
    /// throws std::bad_alloc. Once.
    template <class F>
    void start(F f) noexcept {
        started_ = thread_
                       .start([this, f = std::move(f)]() mutable noexcept {
                           try {
                               outcome_ = f();
                           } catch (const std::bad_alloc&) {
                               outcome_ = failure_of(ENOMEM);
                           }
                       })
                       .has_value();
    }
    /// True if start() found a thread.
    [[nodiscard]] bool started() const noexcept { return started_; }
    /// Joins the thread and returns the outcome of `f`; success if it was never started. Blocks.
    [[nodiscard]] result<void> wait() noexcept {
        thread_.join();
        return outcome_;
    }

 private:
    result<void> outcome_;
    thread thread_;
    bool started_ = false;
};

/// Lets the calling thread run only on a core that no other thread wants (sched(7), SCHED_IDLE).
void set_idle_priority() noexcept;
/// Gives the calling thread a nice value of at least 10, a tenth of the time of another thread on
/// the same core: for work that has to finish on a busy machine, too.
void lower_priority() noexcept;

}  // namespace sluice::os
