// Implements server_signals: SIGHUP reloads the configuration, or stops without a terminal.
#include "sluice/cli/server_signals.hpp"

#include <fcntl.h>

#include <csignal>
#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

bool is_ignored(int number) noexcept {
    struct sigaction now{};
    return os::sys().sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

/// When a terminal hangs up, the kernel takes it away from all processes of its session: they have
/// no /dev/tty then (tty(4)).
bool has_controlling_terminal() noexcept {
    return static_cast<bool>(unique_fd{
        os::sys().openat(AT_FDCWD, "/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)});
}

}  // namespace

server_signals::server_signals(io::engine& engine, std::function<void()> stop,
                               std::function<void()> count, std::function<void()> reload,
                               std::function<void()> upgrade)
    : nohup_{is_ignored(SIGHUP)},
      has_terminal_{has_controlling_terminal()},
      stop_{std::move(stop)},
      reload_{std::move(reload)},
      hang_up_{engine, SIGHUP, [this](unsigned) { hang_up(); }},
      count_{engine, SIGUSR1, [act = std::move(count)](unsigned) { act(); }},
      upgrade_{engine, SIGUSR2, [act = std::move(upgrade)](unsigned) { act(); }} {}

void server_signals::hang_up() {
    if (nohup_ || !has_terminal_ || has_controlling_terminal()) {
        return reload_();
    }
    has_terminal_ = false;
    log(log_level::info, "SIGHUP: the terminal is gone, so the server stops");
    stop_();
}

}  // namespace sluice::cli
