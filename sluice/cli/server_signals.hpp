// Handles SIGHUP, SIGUSR1 and SIGUSR2 in a server.
#pragma once

#include <functional>

#include "sluice/io/engine.hpp"
#include "sluice/io/signal_handler.hpp"

namespace sluice::cli {

/// While it lives, SIGHUP has the configuration taken over (reload). If the controlling terminal is
/// gone (credentials(7), "Sessions"), SIGHUP drains the server instead, unless SIGHUP was ignored
/// at the start, as under nohup(1). SIGUSR1 announces counters. SIGUSR2 hands over, or says why
/// not. Construct and destroy it on the engine's thread while the engine does not run, once the
/// command's options are set.
class server_signals {
 public:
    /// `stop`: as for SIGTERM; `count` announces the counters; `reload` takes over what has
    /// changed; `upgrade` is for SIGUSR2. They must not throw.
    server_signals(io::engine& engine, std::function<void()> stop, std::function<void()> count,
                   std::function<void()> reload, std::function<void()> upgrade);

 private:
    bool nohup_;
    bool has_terminal_;
    std::function<void()> stop_;
    std::function<void()> reload_;
    io::signal_handler hang_up_;
    io::signal_handler count_;
    io::signal_handler upgrade_;

    void hang_up();
};

}  // namespace sluice::cli
