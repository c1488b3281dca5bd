// Tells a terminal that is gone from a request to take over the configuration.
#include "sluice/cli/server_signals.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <csignal>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/sources.hpp"

namespace sluice::cli {
namespace {

bool ignores(int number) noexcept {
    struct sigaction now{};
    return ::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

/// The kernel takes the terminal away from all processes of its session when it hangs up: there is
/// no /dev/tty for them then (tty(4)).
bool has_controlling_terminal() noexcept {
    return static_cast<bool>(
        unique_fd{::open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)});
}

void take_over_configuration() {
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

server_signals::server_signals(io::engine& home, std::function<void()> stop,
                               std::function<void()> count)
    : nohup_{ignores(SIGHUP)},
      has_terminal_{has_controlling_terminal()},
      stop_{std::move(stop)},
      hang_up_{home, SIGHUP, [this] { hang_up(); }},
      count_{home, SIGUSR1, std::move(count)},
      nothing_{home, SIGUSR2, [] {}} {}

void server_signals::hang_up() {
    if (nohup_ || !has_terminal_ || has_controlling_terminal()) return take_over_configuration();
    has_terminal_ = false;
    log(log_level::info, "SIGHUP: the terminal is gone, so the server stops");
    stop_();
}

}  // namespace sluice::cli
