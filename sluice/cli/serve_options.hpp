// The options of every `serve` command, and which engine goes with which model.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/auth/server_auth.hpp"
#include "sluice/cli/door_options.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/server_sandbox.hpp"
#include "sluice/cli/server_tls.hpp"
#include "sluice/model/model.hpp"
#include "sluice/net/network.hpp"

namespace sluice::cli {

/// Values of --engine.
enum class engine_request : std::uint8_t { automatic, blocking, epoll, uring };
/// Values of --model: how connections are spread over threads and processes.
using model_kind = model::kind;
[[nodiscard]] std::string_view to_text(engine_request engine) noexcept;

/// An engine and a model that go together. `automatic` only goes with `event`.
struct pairing {
    engine_request engine = engine_request::automatic;
    model_kind model = model_kind::event;
    friend bool operator==(const pairing&, const pairing&) = default;
};

/// Completes the user's choice: `blocking` goes with sync, fork, thread and pool; epoll and
/// io_uring go with event. Blocking alone means sync; no choice means event. The error is a
/// sentence without its full stop that lists the valid pairs.
[[nodiscard]] std::expected<pairing, std::string> pair_up(std::optional<engine_request> engine,
                                                          std::optional<model_kind> model);

/// Values of the common options. Set other defaults before add_serve_options().
struct serve_options {
    std::string listen = "127.0.0.1:5000";  ///< for net::resolve; its form has been checked
    std::optional<engine_request> engine;
    std::optional<model_kind> model;
    unsigned workers = 0;                ///< threads, processes or shards; 0: a worker per core
    std::uint32_t max_clients = 10'000;  ///< connections at a time, per endpoint
    std::uint32_t max_per_address = 0;   ///< of them, per address; 0: address_limit's default
    std::uint32_t rate_per_address = 0;  ///< new ones per second; as above
    bool open = false;                   ///< all that reach it may do what this machine may
    std::vector<std::string> trusted_proxies;  ///< for trusted_proxies_of(); checked
    server_tls_options tls;
    server_auth_options auth;
    sandbox_options sandbox;
    std::string metrics;  ///< for net::resolve; its form has been checked; empty: none
    std::uint32_t metrics_max_clients = 32;  ///< connections there at a time
    door_options doors;
    bool quiet = false;
    log_level level = log_level::info;
    log_format format = log_format::text;
    access_options access;
    std::string config;
    std::chrono::milliseconds grace{5000};  ///< how long a stop may drain
};

/// The networks of --trusted-proxy.
[[nodiscard]] std::vector<net::network> trusted_proxies_of(const serve_options& common);

/// Adds only --engine, for a command that is not a server. `into` must outlive the parsing.
CLI::Option* add_engine_option(CLI::App& command, std::optional<engine_request>& into);

/// Adds the common options to `serve`, as a group in its help. `into` must outlive the parsing; the
/// help shows its values as defaults.
void add_serve_options(CLI::App& serve, serve_options& into);
/// The same without --listen, for a command with several listeners. `variable` is the environment
/// variable that its help names as an example.
void add_serve_options_of_many_listeners(CLI::App& serve, serve_options& into,
                                         std::string_view variable);

}  // namespace sluice::cli
