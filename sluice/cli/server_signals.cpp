// Implements server_signals: SIGHUP reloads the configuration, or stops without a terminal.
#include "sluice/cli/server_signals.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <csignal>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/log.hpp"
#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/service_manager.hpp"
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

void reload_configuration() {
    const auto refuse = [](std::string_view why) {
        log(log_level::error, fmt::format("SIGHUP: {}; all stays as it was", why));
    };
    const auto level = log_level_now();
    if (!level) return refuse(level.error());
    auto changed = changed_settings();
    if (!changed) return refuse(changed.error());
    set_log_level(*level);
    log(log_level::info, "SIGHUP: the configuration was read again");
    std::erase(*changed, "log-level");
    if (changed->empty()) return;
    log(log_level::warn, fmt::format("SIGHUP: what the configuration says of {} counts from the "
                                     "next start of the server",
                                     fmt::join(*changed, ", ")));
}

}  // namespace

server_signals::server_signals(io::engine& engine, std::function<void()> stop,
                               std::function<void()> count, std::function<reloaded()> reload,
                               std::function<void()> upgrade)
    : nohup_{is_ignored(SIGHUP)},
      has_terminal_{has_controlling_terminal()},
      stop_{std::move(stop)},
      reload_{std::move(reload)},
      hang_up_{engine, SIGHUP, [this](unsigned) { hang_up(); }},
      count_{engine, SIGUSR1, [act = std::move(count)](unsigned) { act(); }},
      upgrade_{engine, SIGUSR2, [act = std::move(upgrade)](unsigned) {
                   if (act) act();
               }} {}

void server_signals::hang_up() {
    if (nohup_ || !has_terminal_ || has_controlling_terminal()) {
        manager().reloading();
        reload();
        return manager().reloaded();
    }
    has_terminal_ = false;
    log(log_level::info, "SIGHUP: the terminal is gone, so the server stops");
    stop_();
}

void server_signals::reload() {
    if (const auto taken = reload_ ? reload_() : reloaded{}; !taken) {
        log(log_level::error,
            fmt::format("SIGHUP: {}; what was read before stays in force", taken.error()));
    }
    // Last, so that all is in force when it is said to be.
    reload_configuration();
}

}  // namespace sluice::cli
