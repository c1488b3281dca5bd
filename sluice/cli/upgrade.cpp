// Implements upgrade: the request, and the looks at its outcome.
#include "sluice/cli/upgrade.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/cli/service_manager.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

// A program takes longer than that to start.
constexpr auto interval = std::chrono::milliseconds{20};

/// Whether it listens still: an accept that failed for good closes it.
bool listens(int socket) noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    return os::sys().getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &value, size) == 0 && value != 0;
}

}  // namespace

upgrade::look::look(upgrade& u) noexcept
    : timer{[](timer& t) noexcept { static_cast<look&>(t).owner.check_outcome(); }}, owner{u} {}

upgrade::upgrade(io::engine& engine, std::vector<supervisor::handed> sockets,
                 std::function<void()> drain)
    : engine_{engine}, sockets_{std::move(sockets)}, drain_{std::move(drain)}, timer_{*this} {}

upgrade::~upgrade() {
    engine_.timers().disarm(timer_);
}

void upgrade::request() {
    if (has_begun_ || sockets_.empty()) {
        return log(log_level::warn, sockets_.empty()
                                        ? "SIGUSR2: the server stops, so none takes its place"
                                        : "SIGUSR2: a successor is being started already");
    }
    std::erase_if(sockets_, [](const supervisor::handed& each) { return !listens(each.socket); });
    if (const auto asked = server_supervisor().start_successor(sockets_); !asked) {
        return log(log_level::error,
                   fmt::format("SIGUSR2: no successor: {}; this server goes on", asked.error()));
    }
    log(log_level::info, "SIGUSR2: starting a successor");
    has_begun_ = true;
    engine_.timers().arm(timer_, io::after(io::clock::now(), interval));
}

void upgrade::check_outcome() noexcept {
    const auto found = server_supervisor().poll_successor();
    if (!found) return engine_.timers().arm(timer_, io::after(io::clock::now(), interval));
    has_begun_ = false;
    if (!*found) {
        return log(log_level::error,
                   fmt::format("SIGUSR2: the successor {}; this server goes on", found->error()));
    }
    is_done_ = true;
    log(log_level::info, fmt::format("SIGUSR2: process {} serves now; this one drains", **found));
    manager().main_process(**found);
    drain_();
}

}  // namespace sluice::cli
