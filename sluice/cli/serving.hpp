// What every server opens first: an engine and a door, with words for what stands in the way; and
// how a service is run under the model that was asked for.
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

#include "sluice/base/fd.hpp"
#include "sluice/cli/exit_status.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"

namespace sluice::cli {

/// The engine that was asked for, for the calling thread. `automatic` takes epoll where io_uring
/// does not work and announces why. The error is a sentence without its full stop.
[[nodiscard]] std::expected<std::unique_ptr<io::engine>, std::string> open_engine(
    engine_request wanted);

/// A socket that listens at `where` (net::resolve, which may block), of several addresses at the
/// first that can be had. One that is in use is waited for, a second at most. `flag` is the one
/// that chose `where`. The error is a sentence without its full stop.
[[nodiscard]] std::expected<unique_fd, std::string> open_door(const std::string& where,
                                                              std::string_view flag = "--listen",
                                                              const net::listen_options& o = {});

/// The first of several sockets that will share `where` (net::listen_options::share_port), refused
/// where another server has it already: that one, sharing, too, would go unnoticed and take half of
/// the clients.
[[nodiscard]] std::expected<unique_fd, std::string> open_first_door(
    const std::string& where, std::string_view flag = "--listen");

/// `count` sockets that share `where`, the first as open_first_door() has it; the others take the
/// port that the kernel chose for that one.
[[nodiscard]] std::expected<std::vector<unique_fd>, std::string> open_shared_doors(
    const std::string& where, unsigned count, std::string_view flag = "--listen");

/// A service and where it is to be found.
struct served_at {
    std::string where;  ///< for net::resolve
    model::service serve;
    std::string what = {};               ///< for people, where a command serves several
    std::string_view flag = "--listen";  ///< that chose where
};

/// Where somebody listens, and for what.
struct open_place {
    net::address where;
    std::string what;
};

/// What a command serves, and what else it wants to know of it.
struct served {
    std::vector<served_at> doors;
    std::function<void()> on_ready = {};              ///< hears that all of it is served
    std::function<void(model::stage)> on_stage = {};  ///< hears of each stage of the stop
    std::function<void()> after = {};                 ///< called when nobody is served any more
    std::function<void()> count = {};                 ///< announces its counters, at SIGUSR1
    std::vector<int> keep = {};         ///< descriptors that children of the fork model need
    model::resident lives_here = {};    ///< what else runs on the shards of the event model
    bool spread_evenly = false;         ///< clients are few and long (model::options)
    std::vector<open_place> also = {};  ///< where that listens
};

/// Prepares stdout, stderr and the log for a server: the first thing that its command does once it
/// knows the model, for the fork model does without threads (output_queue).
void set_up_output(const serve_options& common, model_kind model);

/// Runs services under the model and on the engine that `common` asks for, until signals stop them:
/// the first drains for --grace, the second ends everything at once. Says on stderr where they
/// listen, what goes wrong, and, unless --quiet, what was served. set_up_output() comes before.
[[nodiscard]] exit_status run_server(const CLI::App& command, const serve_options& common,
                                     const pairing& pair, served what);

/// Lets the process open as many files as the system allows it (RLIMIT_NOFILE's hard limit).
void raise_open_files() noexcept;

/// Logs that a stop waits for so many transfers, and for how long.
void say_what_is_waited_for(std::uint64_t transfers, std::chrono::milliseconds grace);

/// Announces `listening on 127.0.0.1:5000 (event, uring)`.
void announce_listening(const net::address& where, model_kind model, io::engine_kind engine);

}  // namespace sluice::cli
