// termios(3), and handlers that post a letter or give the terminal back.
#include "sluice/term/raw_terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/io/ops/poll.hpp"

namespace sluice::term {
namespace {

std::atomic<raw_terminal*> listening_terminal = nullptr;

// What a handler may use (signal-safety(7)): neither locks nor memory.
static_assert(std::atomic<raw_terminal*>::is_always_lock_free);
static_assert(std::atomic<unsigned>::is_always_lock_free);

// Bracketed paste ("XTerm Control Sequences", DECSET 2004).
constexpr std::string_view paste_on = "\x1b[?2004h";
constexpr std::string_view paste_off = "\x1b[?2004l";

// What a terminal that is stopped does not take is not worth waiting for.
void tell(std::string_view what) noexcept {
    if (io::poll::look(STDOUT_FILENO, io::interest::out) != 0) return;
    static_cast<void>(::write(STDOUT_FILENO, what.data(), what.size()));
}

}  // namespace

result<std::unique_ptr<raw_terminal>> raw_terminal::enter(io::engine& home, listener whom) {
    termios before{};
    if (::tcgetattr(STDIN_FILENO, &before) != 0) return failure_of(errno);
    std::unique_ptr<raw_terminal> made{new raw_terminal{home, std::move(whom), before}};
    if (!made->make_raw()) return failure_of(errno);
    made->measure();
    return made;
}

raw_terminal::raw_terminal(io::engine& home, listener whom, const termios& before)
    : letter{[](io::letter& l) noexcept { static_cast<raw_terminal&>(l).deliver(); }},
      home_{home},
      listener_{std::move(whom)},
      before_{before} {
    check(listening_terminal.exchange(this) == nullptr, "one raw terminal at a time");
    struct sigaction action{};
    action.sa_flags = SA_RESTART;
    action.sa_handler = &on_signal;
    for (std::size_t i = 0; i < heard_signals.size(); ++i) {
        ::sigaction(heard_signals[i], &action, &heard_before_[i]);
    }
    action.sa_handler = &on_fatal_signal;
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        ::sigaction(fatal_signals[i], &action, &fatal_before_[i]);
        // Whoever started us with nohup(1) means it.
        if (fatal_before_[i].sa_handler == SIG_IGN) {
            ::sigaction(fatal_signals[i], &fatal_before_[i], nullptr);
        }
    }
}

raw_terminal::~raw_terminal() {
    restore();
    for (std::size_t i = 0; i < heard_signals.size(); ++i) {
        ::sigaction(heard_signals[i], &heard_before_[i], nullptr);
    }
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        ::sigaction(fatal_signals[i], &fatal_before_[i], nullptr);
    }
    listening_terminal = nullptr;
    closing_ = true;
    if (posted_) home_.run_once(io::time_point::min());
}

void raw_terminal::on_signal(int number) noexcept {
    const int interrupted = errno;
    if (auto* self = listening_terminal.load()) self->hear(number);
    errno = interrupted;
}

void raw_terminal::on_fatal_signal(int number) noexcept {
    const auto* self = listening_terminal.load();
    if (self == nullptr) return;
    self->restore();
    for (std::size_t i = 0; i < fatal_signals.size(); ++i) {
        if (fatal_signals[i] == number) ::sigaction(number, &self->fatal_before_[i], nullptr);
    }
    // It comes when this returns, to whoever would have had it.
    ::raise(number);
}

unsigned raw_terminal::bit_of(int number) noexcept {
    for (std::size_t i = 0; i < heard_signals.size(); ++i) {
        if (heard_signals[i] == number) return 1U << i;
    }
    return 0;
}

void raw_terminal::hear(int number) noexcept {
    heard_ |= bit_of(number);
    if (!posted_.exchange(true)) home_.post(*this);
}

void raw_terminal::deliver() noexcept {
    // Taken back first: a signal from here on posts the letter again.
    posted_ = false;
    const unsigned heard = heard_.exchange(0);
    if (closing_) return;
    const auto came = [heard](int number) { return (heard & bit_of(number)) != 0; };
    if (came(SIGTSTP)) {
        suspend();
    } else if (came(SIGCONT) && std::exchange(own_stop_, false)) {
        // suspend() has returned, and all is done.
        return;
    }
    if (came(SIGTSTP) || came(SIGCONT)) {
        // In the background the terminal is somebody else's; asking for it would stop us.
        if (::tcgetpgrp(STDIN_FILENO) != ::getpgrp()) return;
        make_raw();
        measure();
        listener_.resumed();
    } else if (came(SIGWINCH)) {
        measure();
    }
}

/// Stops the program as SIGTSTP would have, and returns when it goes on.
void raw_terminal::suspend() noexcept {
    restore();
    tell(listener_.suspending());
    struct sigaction ours{};
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL;
    ::sigaction(SIGTSTP, &usual, &ours);
    ::raise(SIGTSTP);
    ::sigaction(SIGTSTP, &ours, nullptr);
    // The SIGCONT that ended the stop is part of it; mostly it has been heard by now.
    const unsigned cont = bit_of(SIGCONT);
    own_stop_ = (heard_.fetch_and(~cont) & cont) == 0;
}

void raw_terminal::measure() const {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) size = {};
    listener_.resized(size.ws_col, size.ws_row);
}

bool raw_terminal::make_raw() const noexcept {
    termios raw = before_;
    // Output is left as it is, so that whatever else writes there still begins its lines at the
    // left; and so are the keys that send signals.
    raw.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INLCR | IGNCR | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN);
    raw.c_cflag |= CS8;
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return false;
    tell(paste_on);
    return true;
}

void raw_terminal::restore() const noexcept {
    tell(paste_off);
    // Not TCSADRAIN: it would wait for a terminal that is stopped.
    ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

}  // namespace sluice::term
