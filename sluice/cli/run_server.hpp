// Opens engines and listeners with explained errors, and runs services under a model.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/auth/line_login.hpp"
#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/metrics/collection.hpp"
#include "sluice/model/access_log.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::cli {

class commands;
class server_command;

/// Makes the engine `wanted` for the calling thread. `automatic` takes epoll where io_uring does
/// not work, and announces why. The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::unique_ptr<io::engine>, std::string> open_engine(
    engine_request wanted, const io::engine_options& o = {});

/// A socket that listens at `where` (net::resolve, which may block), at the first of its addresses
/// that works. Waits for an address in use, a second at most. `flag` is the flag that chose
/// `where`: a socket that was inherited for it is taken instead. The file of a Unix socket is
/// removed at the end of the server. The error is a sentence without its full stop.
[[nodiscard]] std::expected<unique_fd, std::string> open_listener(
    const std::string& where, std::string_view flag = "--listen",
    const net::listen_options& o = {});

/// A line for people who speak in the clear to a door that takes lines, over TLS alone.
[[nodiscard]] std::string say_tls(std::string_view first);

/// A service and its address.
struct served_at {
    std::string where;  ///< for net::resolve
    model::service serve = {};
    model::state_factory state = {};  ///< instead of `serve`
    std::string what = {};            ///< its name in messages, where a command serves several
    std::string flag = "--listen";    ///< the flag that chose `where`
    std::string visitors = {};        ///< what they may do: "talk in the chat"
    bool needs_open = false;          ///< beyond this machine, serves only with --open
    auth::line_door door = {};        ///< asks clients of `serve` who they are
    /// The access log has those whom `door` turns away as such events.
    model::access_kind event = model::access_kind::question;
    /// Over TLS: the name of its protocol in ALPN, which is static, and what it answers to clients
    /// that do not speak TLS (tls::door).
    std::string_view protocol = "sluice";
    std::function<std::string(std::string_view first)> answer_plain = say_tls;
};

/// An address with a listener, the name of its service, and what visitors may do.
struct bound_address {
    net::address where;
    std::string what;
    std::string visitors;
};

/// Whether only programs on this machine reach a server at `where` (net::resolve, which may block):
/// not if it trusts proxies, which let others in. True where it has no address: to listen fails
/// then.
[[nodiscard]] bool is_on_this_machine(const std::string& where, const serve_options& common);

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
