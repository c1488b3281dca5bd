// Threads of our own beside those of the models: they get no signals.
#pragma once

#include <csignal>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace sluice::service::files {

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
    } catch (const std::system_error&) {
        into.reset();
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return into.has_value();
}

/// This thread runs only where nobody else wants to (sched(7), SCHED_IDLE).
void let_others_go_first() noexcept;

}  // namespace sluice::service::files
