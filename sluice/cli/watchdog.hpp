// Tells a service manager that the loop of a server turns.
#pragma once

#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"

namespace sluice::cli {

/// Says WATCHDOG=1 for as long as it lives, the loop of `engine` turns and `turns` says that those
/// of other threads do, too; nothing if no manager wants it. Thread of `engine`.
class watchdog : io::timer {
 public:
    /// `turns` must not throw; without it there are no other threads.
    explicit watchdog(io::engine& engine, std::function<bool()> turns = {});
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog();

 private:
    void arm() noexcept;
    void turn() noexcept;

    io::engine& engine_;
    std::function<bool()> turns_;
};

}  // namespace sluice::cli
