// Upgrade: SIGUSR2 starts the program again with the sockets of this server, which then drains.
#pragma once

#include <functional>
#include <vector>

#include "sluice/cli/supervisor.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::cli {

/// Asks the supervisor for a successor, and looks now and then whether it serves. If it does, the
/// service manager is told, and this server drains; if not, this one goes on. Thread of `engine`;
/// lives while the server runs.
class upgrade {
 public:
    /// `sockets`: all that listen. `drain` stops the server; it must not throw.
    upgrade(io::engine& engine, std::vector<supervisor::handed> sockets,
            std::function<void()> drain);
    upgrade(const upgrade&) = delete;
    upgrade& operator=(const upgrade&) = delete;
    ~upgrade();

    /// Begins, unless one has begun.
    void request();
    /// The server stops: its sockets are not to be handed over any more.
    void forget_sockets() noexcept { sockets_.clear(); }
    /// Whether a successor serves.
    [[nodiscard]] bool is_done() const noexcept { return is_done_; }

 private:
    struct look : io::timer {
        explicit look(upgrade& u) noexcept;
        upgrade& owner;
    };
    void check_outcome() noexcept;

    io::engine& engine_;
    std::vector<supervisor::handed> sockets_;
    std::function<void()> drain_;
    look timer_;
    bool has_begun_ = false;
    bool is_done_ = false;
};

}  // namespace sluice::cli
