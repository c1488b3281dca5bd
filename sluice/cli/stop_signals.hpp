// SIGINT and SIGTERM as requests to stop, on the thread of an engine.
#pragma once

#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/signal_handler.hpp"

namespace sluice::cli {

/// While it lives, each SIGINT and SIGTERM calls `stop` on the engine's thread
/// (io::signal_handler). One instance at a time per process.
class stop_signals {
 public:
    /// `stop` must not throw.
    stop_signals(io::engine& engine, std::function<void()> stop);

    /// The first signal that came, also where `stop` has yet to be called for it, or 0.
    [[nodiscard]] int first() const noexcept;

 private:
    void on(int number, unsigned times);

    std::function<void()> stop_;
    int first_ = 0;
    io::signal_handler interrupt_;
    io::signal_handler terminate_;
};

/// Whether a signal has asked this program to stop, since it began. Any thread.
[[nodiscard]] bool stop_was_asked() noexcept;

}  // namespace sluice::cli
