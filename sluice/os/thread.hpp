// Starts threads with all signals blocked, runs background jobs, and sets thread priorities.
#pragma once

#include <cerrno>
#include <csignal>
#include <exception>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "sluice/base/result.hpp"

namespace sluice::os {

/// Starts a thread into `into` that runs `f` with all signals blocked: they belong to the threads
/// that handle them. False, and `into` is empty, if no thread can be started.
template <class F>
bool start_thread(std::optional<std::thread>& into, F f) noexcept {
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        into.emplace(std::move(f));
    } catch (const std::exception&) {  // std::system_error or std::bad_alloc
        into.reset();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return into.has_value();
}

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
        start_thread(thread_, [this, f = std::move(f)]() noexcept {
            try {
                outcome_ = f();
            } catch (const std::bad_alloc&) {
                outcome_ = failure_of(ENOMEM);
            }
        });
    }
    [[nodiscard]] bool started() const noexcept { return thread_.has_value(); }
    /// Joins the thread and returns the outcome of `f`; success if it was never started. Blocks.
    [[nodiscard]] result<void> wait() noexcept {
        if (thread_ && thread_->joinable()) thread_->join();
        return outcome_;
    }

 private:
    result<void> outcome_;
    std::optional<std::thread> thread_;
};

/// Lets the calling thread run only on a core that no other thread wants (sched(7), SCHED_IDLE).
void set_idle_priority() noexcept;
/// Gives the calling thread a nice value of at least 10, a tenth of the time of another thread on
/// the same core: for work that has to finish on a busy machine, too.
void lower_priority() noexcept;

}  // namespace sluice::os
