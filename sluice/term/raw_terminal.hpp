// The terminal in raw mode, given back as it was on every way out.
#pragma once

#include <termios.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"

namespace sluice::term {

/// While it lives, stdin, a terminal, gives every key at once, unechoed, and marks what is pasted
/// (bracketed paste). Ctrl-C, Ctrl-Z and Ctrl-\ still send their signals. The terminal is as before
/// when it dies, while the program is suspended (SIGTSTP), and when a signal ends the program
/// (SIGHUP, SIGQUIT, SIGABRT, SIGSEGV and the like; SIGINT and SIGTERM are somebody else's). One at
/// a time in the process. Made, and destroyed, on the engine's thread while the engine does not
/// run.
class raw_terminal : io::letter {
 public:
    /// Called on the engine's thread, between two coroutines; they must not throw.
    struct listener {
        /// The window has this many columns and rows; also called once at the beginning.
        std::function<void(std::size_t columns, std::size_t rows)> resized;
        /// The program is about to be suspended: what leaves the terminal's cursor at the beginning
        /// of a free row.
        std::function<std::string()> suspending;
        /// The program goes on after it was suspended.
        std::function<void()> resumed;
    };

    /// The errno of tcgetattr(3) or tcsetattr(3).
    [[nodiscard]] static result<std::unique_ptr<raw_terminal>> enter(io::engine& home,
                                                                     listener whom);
    raw_terminal(const raw_terminal&) = delete;
    raw_terminal& operator=(const raw_terminal&) = delete;
    ~raw_terminal();

 private:
    static constexpr std::array<int, 3> heard_signals{SIGWINCH, SIGTSTP, SIGCONT};
    static constexpr std::array<int, 7> fatal_signals{SIGHUP, SIGQUIT, SIGABRT, SIGSEGV,
                                                      SIGBUS, SIGFPE,  SIGILL};

    raw_terminal(io::engine& home, listener whom, const termios& before);
    static void on_signal(int number) noexcept;
    static void on_fatal_signal(int number) noexcept;
    [[nodiscard]] static unsigned bit_of(int number) noexcept;
    void hear(int number) noexcept;
    void deliver() noexcept;
    void suspend() noexcept;
    void measure() const;
    bool make_raw() const noexcept;
    void restore() const noexcept;

    io::engine& home_;
    listener listener_;
    termios before_;
    std::atomic<unsigned> heard_ = 0;  // a bit each of heard_signals
    std::atomic<bool> posted_ = false;
    bool closing_ = false;
    bool own_stop_ = false;  // the SIGCONT that ended a stop of ours has not been heard yet
    std::array<struct sigaction, heard_signals.size()> heard_before_{};
    std::array<struct sigaction, fatal_signals.size()> fatal_before_{};
};

}  // namespace sluice::term
