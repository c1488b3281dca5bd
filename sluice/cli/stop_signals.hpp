// Ctrl-C and SIGTERM as calls on the thread of an engine, whichever engine that is.
#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::cli {

/// While it lives, each SIGINT and SIGTERM calls `stop` on the engine's thread, between two
/// coroutines, or within the wait of one on the blocking engine, where nobody could await a signal
/// (io::signals) beside the service. One at a time in the process. Made, and destroyed, on the
/// engine's thread while the engine does not run.
class stop_signals : io::letter {
 public:
    /// `stop` must not throw.
    stop_signals(io::engine& home, std::function<void()> stop);
    stop_signals(const stop_signals&) = delete;
    stop_signals& operator=(const stop_signals&) = delete;
    ~stop_signals();

    /// The first signal that came, or 0.
    [[nodiscard]] int first() const noexcept { return first_; }

 private:
    static void on_signal(int number) noexcept;
    void hear(int number) noexcept;
    void deliver() noexcept;

    io::engine& home_;
    std::function<void()> stop_;
    std::atomic<int> first_ = 0;
    std::atomic<unsigned> unheeded_ = 0;
    std::atomic<bool> posted_ = false;
    std::array<struct sigaction, 2> before_{};
};

/// Whether a signal has asked this program to stop, since it began. Any thread.
[[nodiscard]] bool stop_was_asked() noexcept;

}  // namespace sluice::cli
