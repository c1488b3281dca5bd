// The last steps of a server before it serves: its pid file, its sandbox, and the word that it is
// ready.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/server_listeners.hpp"
#include "sluice/cli/server_sandbox.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/sandbox/sandbox.hpp"

namespace sluice::cli {

/// Once all doors listen: holds the pid file, whose lock is `pid_file`, and gives up what is not
/// needed to serve. The error is a sentence without its full stop.
[[nodiscard]] std::expected<sandbox::outcome, std::string> settle(const serve_options& common,
                                                                  const sandbox::policy& policy,
                                                                  const sandboxed_service& service,
                                                                  unique_fd& pid_file);

/// All doors serve: says so to the server before, whose pid file becomes this one's, and to a
/// service manager.
void announce_ready(const std::vector<bound_address>& addresses);

}  // namespace sluice::cli
