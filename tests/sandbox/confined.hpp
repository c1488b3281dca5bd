// Runs a function as an intruder would: in a process under the sandbox of a server.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

#include "sluice/sandbox/sandbox.hpp"

namespace sluice::sandbox {

/// What became of a call, or of the process that made it.
struct fate {
    int signal = 0;  ///< that ended it
    int code = -1;   ///< 0, or the errno that it got

    friend bool operator==(const fate&, const fate&) = default;
};
inline constexpr fate succeeded{.code = 0};
inline constexpr fate killed{.signal = SIGSYS};
[[nodiscard]] constexpr fate refused(int code) noexcept {
    return {.code = code};
}
inline std::ostream& operator<<(std::ostream& out, const fate& f) {
    if (f.signal != 0) return out << "ended by " << ::strsignal(f.signal);
    return out << (f.code == 0 ? "succeeded" : ::strerror(f.code));
}

/// What `act` gets in a child that has called `confine`: it returns a negative number if it failed,
/// with errno.
inline fate fate_of(const std::function<bool()>& confine, const std::function<long()>& act) {
    constexpr int no_sandbox = 200;
    const pid_t child = ::fork();
    if (child == 0) {
        if (!confine()) ::_exit(no_sandbox);
        errno = 0;
        ::_exit(act() < 0 ? errno : 0);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) return {.signal = WTERMSIG(status)};
    return {.code = WEXITSTATUS(status)};
}

/// The same under the sandbox `p`, all walls of which stand.
inline fate fate_under(const policy& p, const std::function<long()>& act) {
    return fate_of(
        [&p] {
            const auto done = confine(p);
            return done && done->missing.empty();
        },
        act);
}

}  // namespace sluice::sandbox
