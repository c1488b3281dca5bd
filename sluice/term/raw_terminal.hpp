// Defines raw_terminal: puts the terminal of stdin into raw mode and restores it on every exit.
#pragma once

#include <termios.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/signal_handler.hpp"

namespace sluice::term {

/// While it lives, the terminal on stdin gives every key at once, without echo, and marks pasted
/// text (bracketed paste). Ctrl-C, Ctrl-Z and Ctrl-\ still send their signals. The terminal is
/// restored by the destructor, while the program is suspended (SIGTSTP), and when a signal ends it
/// (SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL; the owner handles SIGINT and
/// SIGTERM). One per process. Created and destroyed on the engine's thread while the engine does
/// not run.
class raw_terminal {
 public:
    /// Callbacks on the engine's thread, between two coroutines; they must not throw.
    struct listener {
        /// The size of the window has changed, 0 if unknown; also called once by enter().
        std::function<void(std::size_t columns, std::size_t rows)> resized;
        /// The program is about to be suspended: returns the output that moves the cursor to the
        /// beginning of a free row.
        std::function<std::string()> suspending;
        /// The program continues after it was suspended.
        std::function<void()> resumed;
    };

    /// The errno of ioctl_tty(2): ENOTTY if stdin is no terminal.
    [[nodiscard]] static result<std::unique_ptr<raw_terminal>> enter(io::engine& engine,
                                                                     listener callbacks);
    raw_terminal(const raw_terminal&) = delete;
    raw_terminal& operator=(const raw_terminal&) = delete;
    ~raw_terminal();

 private:
    static constexpr std::array<int, 7> fatal_signals{SIGHUP, SIGQUIT, SIGABRT, SIGSEGV,
                                                      SIGBUS, SIGFPE,  SIGILL};

    raw_terminal(io::engine& engine, listener callbacks, const termios& original);
    static void on_fatal_signal(int number) noexcept;
    void suspend() noexcept;
    void resume() noexcept;
    void measure() const;
    [[nodiscard]] result<void> make_raw() const noexcept;
    void restore() const noexcept;

    listener callbacks_;
    termios original_;
    bool own_stop_ = false;  // the SIGCONT after suspend() is still to be delivered
    std::array<struct sigaction, fatal_signals.size()> fatal_original_{};
    io::signal_handler window_;
    io::signal_handler stopped_;
    io::signal_handler continued_;
};

}  // namespace sluice::term
