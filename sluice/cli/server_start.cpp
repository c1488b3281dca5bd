// Implements settle() and announce_ready().
#include "sluice/cli/server_start.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/pid_file.hpp"
#include "sluice/cli/service_manager.hpp"
#include "sluice/cli/supervisor.hpp"

namespace sluice::cli {
namespace {

/// The lock on the pid file. That of a successor comes to `path` once it serves, if there is a
/// supervisor that puts it there: until then it may fail, and the server before goes on.
std::expected<unique_fd, std::string> hold_pid_file(const std::string& path) {
    std::expected<unique_fd, std::string> held;
    if (inherited().is_successor()) {
        auto made = prepare_pid_file(path);
        if (!made) return std::unexpected{std::move(made.error())};
        if (server_supervisor().place_at_confirmation(made->path, path)) {
            return std::move(made->lock);
        }
        held = place_pid_file(std::move(*made), path);
    } else {
        held = write_pid_file(path);
    }
    if (held) server_supervisor().remove_at_end(path);
    return held;
}

/// What a service manager shows of a server.
std::string status_of(const std::vector<bound_address>& addresses) {
    std::string all{"serving"};
    for (const auto& each : addresses) {
        all += fmt::format("{}{} on {}", all.back() == 'g' ? " " : ", ",
                           each.what.empty() ? std::string_view{"clients"} : each.what,
                           each.where.to_string());
    }
    return all;
}

}  // namespace

std::expected<sandbox::outcome, std::string> settle(const serve_options& common,
                                                    const sandbox::policy& policy,
                                                    const sandboxed_service& service,
                                                    unique_fd& pid_file) {
    if (const auto& path = common.doors.pid_file; !path.empty()) {
        auto held = hold_pid_file(path);
        if (!held) return std::unexpected{held.error()};
        pid_file = std::move(*held);
    }
    server_supervisor().seal();
    return enter_sandbox(policy, service);
}

void announce_ready(const std::vector<bound_address>& addresses) {
    if (const auto placed = server_supervisor().confirm(); !placed) {
        log(log_level::warn, fmt::format("--pid-file is still that of the server before: {}",
                                         placed.error().message()));
    }
    inherited().tell_ready();
    manager().ready(status_of(addresses));
}

}  // namespace sluice::cli
