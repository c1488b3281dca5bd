// The options that every `serve` has, and which engine goes with which model.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "sluice/cli/log.hpp"
#include "sluice/model/model.hpp"

namespace sluice::cli {

/// What --engine may say.
enum class engine_request : std::uint8_t { automatic, blocking, epoll, uring };
/// What --model may say: how connections are spread over threads and processes.
using model_kind = model::kind;
[[nodiscard]] std::string_view to_text(engine_request engine) noexcept;

/// An engine and a model that go together. `automatic` stands only beside `event`.
struct pairing {
    engine_request engine = engine_request::automatic;
    model_kind model = model_kind::event;
    friend bool operator==(const pairing&, const pairing&) = default;
};

/// Completes what was asked for: `blocking` carries sync, fork, thread and pool; epoll and io_uring
/// carry event. Alone, blocking means sync; nothing at all means event. Error: which pairs do go
/// together, as a sentence without its full stop.
[[nodiscard]] std::expected<pairing, std::string> pair_up(std::optional<engine_request> engine,
                                                          std::optional<model_kind> model);

/// What the common options say. Set what differs from these defaults before add_serve_options().
struct serve_options {
    std::string listen = "127.0.0.1:5000";  ///< for net::resolve; its form has been checked
    std::optional<engine_request> engine;
    std::optional<model_kind> model;
    unsigned workers = 0;                ///< threads, processes or shards; 0: one a core
    std::uint32_t max_clients = 10'000;  ///< connections at a time, per endpoint
    std::uint32_t max_per_address = 0;   ///< of them; 0: model::address_limit's default
    bool quiet = false;
    log_level level = log_level::info;
    log_format format = log_format::text;
    std::string config;
    std::chrono::milliseconds grace{5000};  ///< how long a stop may drain
};

/// What --log-level would be if the program began now: a flag or the environment, else what the
/// configuration file says, else `info`. The error is a sentence without its full stop.
[[nodiscard]] std::expected<log_level, std::string> log_level_now();

/// Adds --engine alone, for a command that is no server. `into` must outlive the parsing.
CLI::Option* add_engine_option(CLI::App& command, std::optional<engine_request>& into);

/// Adds the common options to `serve`, in a group of their own in its help. `into` must outlive the
/// parsing; its fields are the defaults that the help shows.
void add_serve_options(CLI::App& serve, serve_options& into);
/// The same without --listen, for a command that has several doors. `variable` stands in its help
/// for those that say where: that of one of its flags.
void add_serve_options_of_many_doors(CLI::App& serve, serve_options& into,
                                     std::string_view variable);

}  // namespace sluice::cli
