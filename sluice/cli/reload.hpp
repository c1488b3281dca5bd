// Takes over at SIGHUP what may change while a server runs, and says what counts from its next
// start.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sluice/auth/authenticator.hpp"
#include "sluice/cli/option_sources.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/tls/server_context.hpp"

namespace sluice::cli {

class commands;

/// What reload changes beside the parts of a server.
struct reload_targets {
    auth::authenticator* who = nullptr;   ///< of --auth, whose file is read again
    tls::server_context* over = nullptr;  ///< whose certificate is read again
    /// Takes over the limits on connections; may be empty.
    std::function<void(const serve_options&)> set_limits = {};
};

/// Reads the options of a running server again, with the configuration file, the accounts and the
/// certificate as they are now. All or nothing: a mistake in any of them changes nothing. Main
/// thread.
class reload {
 public:
    /// `all` has read the options of `running`; both outlive it.
    reload(const commands& all, server_command& running, reload_targets targets);

    /// Logs what came of it; a service manager is told that it reloads. Does not throw.
    void operator()() noexcept;

 private:
    void read_again();
    [[nodiscard]] std::vector<std::string> take_over(const server_command& fresh);

    const commands& all_;
    server_command& running_;
    reload_targets targets_;
    settings in_force_;
};

}  // namespace sluice::cli
