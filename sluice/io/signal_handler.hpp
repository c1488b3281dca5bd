// Signal handler that calls a function on the thread of an engine, of any kind.
#pragma once

#include <atomic>
#include <csignal>
#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::io {

/// While it lives, `act` is called after each signal `number`: between two coroutines, or within a
/// wait on the blocking engine, where no coroutine could await a signal (io::signals) beside the
/// service. One per number in the process. Made and destroyed on the engine's thread, while no
/// other thread can take the signal.
class signal_handler : message {
 public:
    /// `act` gets the number of signals since its last call; it must not throw.
    signal_handler(engine& owner, int number, std::function<void(unsigned times)> act);
    signal_handler(const signal_handler&) = delete;
    signal_handler& operator=(const signal_handler&) = delete;
    ~signal_handler();

    /// The action before this one.
    [[nodiscard]] const struct sigaction& before() const noexcept { return before_; }
    /// Whether a signal has come of which `act` has yet to be told. Any thread.
    [[nodiscard]] bool pending() const noexcept { return pending_ > 0; }
    /// Signals of that number that handlers of this process have taken. Any thread.
    [[nodiscard]] static unsigned seen(int number) noexcept;

 private:
    static void on_signal(int number) noexcept;
    void deliver() noexcept;

    engine& engine_;
    int number_;
    std::function<void(unsigned)> act_;
    std::atomic<unsigned> pending_ = 0;
    std::atomic<bool> posted_ = false;
    struct sigaction before_{};
};

}  // namespace sluice::io
