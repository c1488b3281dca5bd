// Handles SIGHUP, SIGUSR1 and SIGUSR2 in a server.
#pragma once

#include <expected>
#include <functional>
#include <string>

#include "sluice/io/engine.hpp"
#include "sluice/io/signal_handler.hpp"

namespace sluice::cli {

/// What came of taking over changed files: the error is a sentence without its full stop.
using reloaded = std::expected<void, std::string>;

/// While it lives, SIGHUP reloads the configuration file and the certificate: it applies the log
/// level, unless a flag or the environment set it, and logs which other settings changed and wait
/// for the next start. If the controlling terminal is gone (credentials(7), "Sessions"), SIGHUP
/// drains the server instead, unless SIGHUP was ignored at the start, as under nohup(1). SIGUSR1
/// announces counters. SIGUSR2 hands over, or does nothing. A service manager is told while it
/// reloads. Construct and destroy it on the engine's thread while
/// the engine does not run, once the command's options are set.
class server_signals {
 public:
    /// `stop`: as for SIGTERM; `count` announces the counters; `reload` reads the certificate
    /// again; `upgrade` hands over to a successor. They must not throw.
    server_signals(io::engine& engine, std::function<void()> stop, std::function<void()> count,
                   std::function<reloaded()> reload = {}, std::function<void()> upgrade = {});

 private:
    bool nohup_;
    bool has_terminal_;
    std::function<void()> stop_;
    std::function<reloaded()> reload_;
    io::signal_handler hang_up_;
    io::signal_handler count_;
    io::signal_handler upgrade_;

    void hang_up();
    void reload();
};

}  // namespace sluice::cli
