// What SIGHUP, SIGUSR1 and SIGUSR2 mean to a server.
#pragma once

#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/model/on_signal.hpp"

namespace sluice::cli {

/// While it lives, SIGHUP takes over what the configuration file says now: the log level, unless a
/// flag or the environment gave it; of other settings that changed it says that they wait for the
/// next start. It ends no server but one whose controlling terminal is gone
/// (credentials(7), "Sessions"): that one drains, unless SIGHUP was ignored when it began, as under
/// nohup(1). SIGUSR1 announces counters. SIGUSR2 does nothing. Made, and destroyed, on the engine's
/// thread while the engine does not run, once the command's options are settled.
class server_signals {
 public:
    /// `stop` is what SIGTERM would call, `count` announces the counters. They must not throw.
    server_signals(io::engine& home, std::function<void()> stop, std::function<void()> count);

 private:
    bool nohup_;
    bool has_terminal_;
    std::function<void()> stop_;
    model::on_signal hang_up_;
    model::on_signal count_;
    model::on_signal nothing_;

    void hang_up();
};

}  // namespace sluice::cli
