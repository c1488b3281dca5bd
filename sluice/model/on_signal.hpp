// A signal as a call on the thread of an engine, for the models that work with signals.
#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::model {

/// While it lives, `act` is called after each signal `number`, once for several that come together,
/// on the engine's thread: between two coroutines, or within the wait of one on the blocking
/// engine. One a number in the process. Made, and destroyed, on the engine's thread while nobody
/// else can take the signal.
class on_signal : io::letter {
 public:
    /// `act` must not throw.
    on_signal(io::engine& home, int number, std::function<void()> act);
    on_signal(const on_signal&) = delete;
    on_signal& operator=(const on_signal&) = delete;
    ~on_signal();

 private:
    static void hear(int number) noexcept;
    void deliver() noexcept;

    io::engine& home_;
    int number_;
    std::function<void()> act_;
    std::atomic<bool> posted_ = false;
    struct sigaction before_{};
};

}  // namespace sluice::model
