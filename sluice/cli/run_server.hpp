// Runs the services of a command under a model until signals stop them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "sluice/auth/authenticator.hpp"
#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/server_listeners.hpp"
#include "sluice/cli/server_sandbox.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/metrics/collection.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"

namespace sluice::cli {

class commands;
class server_command;

/// Adds the counters of services. Any thread; throws std::bad_alloc alone.
using count_function = std::function<void(metrics::collection&)>;
/// A function that announces what `count` adds (service_counters.hpp).
[[nodiscard]] std::function<void()> announcing(count_function count);

/// The services of a command, and its callbacks.
struct served {
    std::vector<served_at> listeners;
    std::function<void()> on_ready = {};              ///< called when all of them are served
    std::function<void(model::stage)> on_stage = {};  ///< called at each stage of the stop
    std::function<void()> after = {};                 ///< called after the last session
    count_function count = {};                        ///< its counters, for SIGUSR1 and --metrics
    auth::authenticator* who = nullptr;  ///< of --auth, whose file is read again at SIGHUP
    sandboxed_service sandbox = {};
    std::vector<int> keep = {};  ///< descriptors that children of the fork model need
    bool spread_evenly = false;  ///< clients are few and long (model::server_options)
};

/// Prepares stdout, stderr and the log for a server, starts its supervisor, and takes from the
/// environment what a service manager has put there: its socket, and those of the doors. A command
/// calls it first, once it knows the model: the fork model must have no thread (output_queue). What
/// is written waits for enter_sandbox(), or for the end of the program.
void set_up_output(const serve_options& common, model_kind model);

/// Runs services under the model and on the engine of `pair` until signals stop them: the first
/// drains for --grace, the second ends everything at once, the third exits. SIGUSR2 hands over to a
/// successor. Reports on stderr where they listen, errors, and, unless --quiet, how much was
/// served, and to a service manager what it does. Call set_up_output() before. `all` has read the
/// options of `server`, and reads them again at SIGHUP.
[[nodiscard]] exit_status run_server(const commands& all, server_command& server,
                                     const pairing& pair, served what);

/// Raises the limit on open files to the hard limit (RLIMIT_NOFILE).
void raise_open_files() noexcept;

/// Logs that a stop waits for `transfers` transfers, up to `grace`.
void log_pending_transfers(std::uint64_t transfers, std::chrono::milliseconds grace);

/// Announces `listening on 127.0.0.1:5000 (event, uring)`.
void announce_listening(const net::address& where, model_kind model, io::engine_kind engine);

}  // namespace sluice::cli
