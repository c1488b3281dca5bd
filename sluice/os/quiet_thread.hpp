// Threads of our own beside those of the models: they get no signals.
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

/// Runs `f` on a thread of its own, which `into` then holds. False, and `into` is empty, where
/// there is none to be had. Signals belong to the threads that wait for them.
template <class F>
bool start_quietly(std::optional<std::thread>& into, F f) noexcept {
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

/// Work that goes on beside other work.
class side_job {
 public:
    side_job() noexcept = default;
    side_job(const side_job&) = delete;
    side_job& operator=(const side_job&) = delete;
    ~side_job() { static_cast<void>(wait()); }

    /// Runs `f`, which gives a result<void>, on a thread of its own; not at all where there is none
    /// to be had. ENOMEM where it throws std::bad_alloc. Once.
    template <class F>
    void start(F f) noexcept {
        start_quietly(thread_, [this, f = std::move(f)]() noexcept {
            try {
                outcome_ = f();
            } catch (const std::bad_alloc&) {
                outcome_ = failure_of(ENOMEM);
            }
        });
    }
    [[nodiscard]] bool started() const noexcept { return thread_.has_value(); }
    /// Its outcome, when it is over; success if it never began. Blocks.
    [[nodiscard]] result<void> wait() noexcept {
        if (thread_ && thread_->joinable()) thread_->join();
        return outcome_;
    }

 private:
    result<void> outcome_;
    std::optional<std::thread> thread_;
};

/// This thread runs only where nobody else wants to (sched(7), SCHED_IDLE).
void let_others_go_first() noexcept;
/// This thread gets a tenth of what another gets that wants the same core (a nice value of 10), for
/// work that has to come to an end on a busy machine, too.
void stand_back() noexcept;

}  // namespace sluice::os
