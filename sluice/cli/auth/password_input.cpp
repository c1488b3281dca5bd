// Implements reading of passwords with ioctl_tty(2) and read(2).
#include "sluice/cli/auth/password_input.hpp"

#include <asm/ioctls.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <utility>

#include "sluice/auth/password_hash.hpp"
#include "sluice/auth/secret.hpp"
#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/terminal.hpp"

namespace sluice::cli {
namespace {

using problem = std::unexpected<std::string>;

/// While it lives, the terminal on stdin shows nothing of what is typed. A signal that ends the
/// program restores it first; Ctrl-Z does nothing. One at a time.
class echo_off {
 public:
    echo_off() noexcept {
        os::sys().ioctl(STDIN_FILENO, TCGETS, &original_);
        of_process = this;
        struct sigaction action{};
        action.sa_handler = &on_fatal_signal;
        for (std::size_t i = 0; i < signals.size(); ++i) {
            os::sys().sigaction(signals[i], &action, &actions_[i]);
        }
        struct sigaction ignored{};
        ignored.sa_handler = SIG_IGN;
        os::sys().sigaction(SIGTSTP, &ignored, &on_stop_);
        termios quiet = original_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL);
        // What was typed ahead was shown: it is dropped (TCSETSF).
        os::sys().ioctl(STDIN_FILENO, TCSETSF, &quiet);
    }
    echo_off(const echo_off&) = delete;
    echo_off& operator=(const echo_off&) = delete;
    ~echo_off() {
        restore();
        os::sys().sigaction(SIGTSTP, &on_stop_, nullptr);
        for (std::size_t i = 0; i < signals.size(); ++i) {
            os::sys().sigaction(signals[i], &actions_[i], nullptr);
        }
        of_process = nullptr;
    }

 private:
    static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    static void on_fatal_signal(int number) noexcept {
        const echo_off* const self = of_process.load();
        self->restore();
        for (std::size_t i = 0; i < signals.size(); ++i) {
            if (signals[i] == number) os::sys().sigaction(number, &self->actions_[i], nullptr);
        }
        // Delivered when this returns.
        os::sys().raise(number);
    }
    void restore() const noexcept {
        termios original = original_;
        os::sys().ioctl(STDIN_FILENO, TCSETS, &original);
    }

    static inline std::atomic<echo_off*> of_process = nullptr;
    // A signal handler may not lock (signal-safety(7)).
    static_assert(std::atomic<echo_off*>::is_always_lock_free);

    termios original_{};
    std::array<struct sigaction, signals.size()> actions_{};
    struct sigaction on_stop_{};
};

/// A line of stdin, and no byte behind it, which may be another program's.
std::expected<std::string, std::string> read_password_line() {
    std::string line;
    line.reserve(auth::longest_password + 1);  // so that it does not move
    std::array<std::byte, 1> next{};
    const auto fail = [&line](std::string why) {
        const auth::wipe_at_end wipe{line};
        return problem{std::move(why)};
    };
    while (line.size() <= auth::longest_password) {
        const auto n = os::sys().read(STDIN_FILENO, next);
        if (n == -EINTR) continue;
        if (n < 0) {
            return fail(fmt::format("cannot read a password: {}",
                                    error::system(static_cast<int>(-n)).message()));
        }
        if (n == 0 || next[0] == std::byte{'\n'}) {
            if (line.empty()) return fail("the password is empty; a line with one is expected");
            return line;
        }
        const auto code = std::to_integer<unsigned char>(next[0]);
        if (code < 0x20U || code == 0x7fU) {
            return fail("the password has a control character; type one without");
        }
        line += static_cast<char>(code);
    }
    return fail(fmt::format("the password is longer than {} bytes; type a shorter one",
                            auth::longest_password));
}

std::expected<std::string, std::string> ask_on_terminal(const std::string& prompt) {
    show_on_stderr(prompt);
    auto line = read_password_line();
    show_on_stderr("\n");
    return line;
}

}  // namespace

std::expected<std::string, std::string> read_password(std::string_view name) {
    const echo_off quiet;
    return ask_on_terminal(fmt::format("Password of {}: ", name));
}

std::expected<std::string, std::string> read_new_password(std::string_view name) {
    if (!os::is_terminal(STDIN_FILENO)) return read_password_line();
    const echo_off quiet;
    auto first = ask_on_terminal(fmt::format("New password of {}: ", name));
    if (!first) return first;
    auto again = ask_on_terminal("The same once more: ");
    const auth::wipe_at_end wipe_again{again ? *again : again.error()};
    if (again && *again == *first) return first;
    const auth::wipe_at_end wipe_first{*first};
    if (!again) return problem{again.error()};
    return problem{"the two passwords differ; nothing was changed"};
}

}  // namespace sluice::cli
