// Implements raw_terminal with ioctl_tty(2) and handlers of fatal signals that restore the
// terminal.
#include "sluice/term/raw_terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string_view>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::term {
namespace {

std::atomic<raw_terminal*> raw_terminal_of_process = nullptr;

// A signal handler may neither lock nor allocate (signal-safety(7)).
static_assert(std::atomic<raw_terminal*>::is_always_lock_free);

// Bracketed paste ("XTerm Control Sequences", DECSET 2004).
constexpr std::string_view paste_on = "\x1b[?2004h";
constexpr std::string_view paste_off = "\x1b[?2004l";

// Does not wait for a terminal that is stopped (Ctrl-S).
void write_to_terminal(std::string_view text) noexcept {
    if (io::poll::poll_now(STDOUT_FILENO, io::interest::out) != 0) return;
    os::sys().write(STDOUT_FILENO, as_bytes(text));
}

}  // namespace

result<std::unique_ptr<raw_terminal>> raw_terminal::enter(io::engine& engine, listener callbacks) {
    termios original{};
    const int failed = os::sys().ioctl(STDIN_FILENO, TCGETS, &original);
    if (failed < 0) return failure_of(-failed);
    std::unique_ptr<raw_terminal> made{new raw_terminal{engine, std::move(callbacks), original}};
    if (auto raw = made->make_raw(); !raw) return failure(raw.error());
    made->measure();
    return made;
}

raw_terminal::raw_terminal(io::engine& engine, listener callbacks, const termios& original)
    : callbacks_{std::move(callbacks)},
      original_{original},
      window_{engine, SIGWINCH, [this](unsigned) { measure(); }},
      stopped_{engine, SIGTSTP, [this](unsigned) { suspend(); }},
      continued_{engine, SIGCONT, [this](unsigned) {
                     if (!std::exchange(own_stop_, false)) resume();
                 }} {
    check(raw_terminal_of_process.exchange(this) == nullptr, "one raw terminal at a time");
    struct sigaction action{};
    action.sa_flags = SA_RESTART;
    action.sa_handler = &on_fatal_signal;
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        os::sys().sigaction(fatal_signals[i], &action, &fatal_original_[i]);
        // A signal that is ignored at the start, as nohup(1) does, stays ignored.
        if (fatal_original_[i].sa_handler == SIG_IGN) {
            os::sys().sigaction(fatal_signals[i], &fatal_original_[i], nullptr);
        }
    }
}

raw_terminal::~raw_terminal() {
    restore();
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        os::sys().sigaction(fatal_signals[i], &fatal_original_[i], nullptr);
    }
    raw_terminal_of_process = nullptr;
}

void raw_terminal::on_fatal_signal(int number) noexcept {
    const auto* self = raw_terminal_of_process.load();
    if (self == nullptr) return;
    self->restore();
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        if (fatal_signals[i] == number)
            os::sys().sigaction(number, &self->fatal_original_[i], nullptr);
    }
    // Delivered when this returns, to the action that was set before.
    os::sys().raise(number);
}

/// Stops the process with the default action of SIGTSTP; returns when it is continued.
void raw_terminal::suspend() noexcept {
    restore();
    write_to_terminal(callbacks_.suspending());
    struct sigaction ours{};
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL;
    os::sys().sigaction(SIGTSTP, &usual, &ours);
    os::sys().raise(SIGTSTP);
    os::sys().sigaction(SIGTSTP, &ours, nullptr);
    // The SIGCONT that ended this stop needs no second resume().
    own_stop_ = true;
    resume();
}

void raw_terminal::resume() noexcept {
    // In the background, TCSETS would stop the process (SIGTTOU).
    pid_t foreground = 0;
    if (os::sys().ioctl(STDIN_FILENO, TIOCGPGRP, &foreground) < 0) return;
    if (foreground != os::sys().getpgrp()) return;
    static_cast<void>(make_raw());
    measure();
    callbacks_.resumed();
}

void raw_terminal::measure() const {
    winsize size{};
    if (os::sys().ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
    callbacks_.resized(size.ws_col, size.ws_row);
}

result<void> raw_terminal::make_raw() const noexcept {
    termios raw = original_;
    // Output processing stays on, so that lines of other writers begin at the left, and so do the
    // keys that send signals.
    raw.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    const int failed = os::sys().ioctl(STDIN_FILENO, TCSETS, &raw);
    if (failed < 0) return failure_of(-failed);
    write_to_terminal(paste_on);
    return {};
}

void raw_terminal::restore() const noexcept {
    write_to_terminal(paste_off);
    // Not TCSETSW: it would wait for a terminal that is stopped.
    termios original = original_;
    os::sys().ioctl(STDIN_FILENO, TCSETS, &original);
}

}  // namespace sluice::term
