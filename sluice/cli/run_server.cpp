// Implements run_server(): from the options of a server to its end.
#include "sluice/cli/run_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <expected>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/cli/commands.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/open_engine.hpp"
#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/reload.hpp"
#include "sluice/cli/server_metrics.hpp"
#include "sluice/cli/server_signals.hpp"
#include "sluice/cli/server_start.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/service_manager.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/supervisor.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/upgrade.hpp"
#include "sluice/cli/watchdog.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/model/make.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

/// The kind of engine for the shards, found by opening one; its errors are explained.
std::expected<io::engine_kind, std::string> engine_of(const pairing& pair) {
    if (pair.model != model_kind::event) return io::engine_kind::blocking;
    auto tried = open_engine(pair.engine);
    if (!tried) return std::unexpected{tried.error()};
    return (*tried)->which();
}

/// A line per listener, and a line with the service of each.
void announce_all(const std::vector<bound_address>& addresses, model_kind model,
                  io::engine_kind engine, const serve_options& common,
                  const tls::server_context* over) {
    std::string all;
    for (const auto& each : addresses) {
        announce_listening(each.where, model, engine);
        if (!all.empty()) all += ", ";
        all += fmt::format("{} on {}", each.what, each.where.to_string());
    }
    if (addresses.size() > 1) announce(all);
    if (over != nullptr) announce_fingerprint(*over);
    if (!common.tls.client_authorities.empty()) return;
    const std::string_view asked =
        common.auth.on() ? "all are asked who they are" : "nobody is asked for a password";
    for (const auto& each : addresses) {
        if (each.where.is_loopback() && common.trusted_proxies.empty()) continue;
        log(log_level::warn,
            fmt::format("{} is open to everybody who can reach it: they may {}; {}{}",
                        each.where.to_string(), each.visitors, asked,
                        common.tls.is_required() ? ""
                        : over != nullptr        ? ", and what they choose travels in the clear"
                                                 : ", and all travels in the clear"));
    }
}

void report(const model::server& server, model_kind model) {
    const auto& counted = server.counted();
    log(log_level::info,
        fmt::format("served {} clients, {} at most at a time; {} shed, {} refused for "
                    "--max-per-address and --rate-per-address, {} processes crashed, {} waits for "
                    "a thread or process",
                    grouped(counted.accepted), grouped(counted.most), grouped(counted.shed),
                    grouped(counted.refused), grouped(counted.crashed), grouped(counted.retries)));
    if (model != model_kind::event || counted.accepted == 0) return;
    std::string shares;
    for (const auto each : server.spread()) {
        if (!shares.empty()) shares += " + ";
        shares += grouped(each);
    }
    log(log_level::info, fmt::format("clients by shard: {}", shares));
}

model::detail_sink details_to_log() {
    using level = model::detail_sink::level;
    const auto of = [](level which) {
        return which == level::trace ? log_level::trace : log_level::debug;
    };
    return {.wanted = [of](level which) { return logs(of(which)); },
            .to = [of](level which, std::string_view line) { log(of(which), line); }};
}

}  // namespace

std::function<void()> announcing(count_function count) {
    return [count = std::move(count)] {
        metrics::collection all;
        count(all);
        announce_counters(all);
    };
}

void set_up_output(const serve_options& common, model_kind model) {
    if (model == model_kind::fork) output().go_without_thread();
    output().hold();
    set_up_log(common.level, common.format);
    // First, so that a successor begins as this process has begun.
    server_supervisor().start();
    manager().connect();
    inherited().take_from_environment();
    if (inherited().is_successor()) server_supervisor().wait_for_confirmation();
}

namespace {

/// Why a server with these options is not to run, a sentence without its full stop.
std::optional<std::string> why_not_served(const serve_options& common,
                                          const std::vector<served_at>& listeners) {
    if (auto why = why_not_open(common, listeners)) return why;
    return why_no_metrics(common);
}

/// Null without TLS.
std::expected<std::unique_ptr<tls::server_context>, std::string> open_tls(
    const serve_options& common) {
    if (!common.tls.on()) return nullptr;
    return open_server_tls(common.tls, model::workers_of(common.workers));
}

/// Null without --metrics.
std::expected<std::unique_ptr<server_metrics>, std::string> open_metrics(
    server_metrics::source from) {
    if (from.common.metrics.empty()) return nullptr;
    return server_metrics::open(std::move(from));
}

/// What a server has opened beside its endpoints; null where it has none.
struct beside_endpoints {
    tls::server_context* over = nullptr;
    server_metrics* observed = nullptr;
};

void enter_stage(model::stage now, upgrade& successor, const beside_endpoints& more,
                 const served& what) {
    successor.forget_sockets();
    if (now == model::stage::draining) manager().stopping();
    if (more.observed != nullptr) more.observed->set(metrics::readiness::draining);
    if (what.on_stage) what.on_stage(now);
}

void announce_all_counters(const model::server& server, const std::vector<std::string>& doors,
                           const beside_endpoints& more, const served& what) {
    metrics::collection all;
    collect_clients(all, server, doors);
    if (more.over != nullptr) collect_handshakes(all, more.over->counting());
    if (what.who != nullptr) collect_logins(all, what.who->counted());
    if (what.count) what.count(all);
    announce_counters(all);
    announce_access_log();
}

}  // namespace

exit_status run_server(const commands& all, server_command& server_of, const pairing& pair,
                       served what) {
    const auto& command = all.command();
    const auto& common = server_of.common;
    if (const auto why = why_not_served(common, what.listeners)) {
        return report_usage_error(command, *why);
    }
    if (!common.config.empty()) {
        log(log_level::debug, fmt::format("settings come from {}", in_quotes(common.config)));
    }
    check(!common.auth.on() || what.who != nullptr, "a server that does not ask who it is");
    raise_open_files();
    const auto shard_engine = engine_of(pair);
    if (!shard_engine) return log_failure(shard_engine.error());
    auto engine = io::make_engine(io::engine_kind::blocking);
    if (!engine)
        return log_failure(fmt::format("cannot set up an engine: {}", engine.error().message()));
    const auto over = open_tls(common);
    if (!over) return log_failure(over.error());
    const auto doors = names_of(what.listeners);
    auto opened = open_all(std::move(what.listeners), common, pair.model, over->get());
    if (!opened) return log_failure(opened.error());
    if (auto logged = open_access_log(common.access); !logged) return log_failure(logged.error());
    auto observed = open_metrics({.common = common,
                                  .model = pair.model,
                                  .engine = *shard_engine,
                                  .outer = **engine,
                                  .over = over->get(),
                                  .who = what.who,
                                  .doors = doors,
                                  .count = what.count});
    if (!observed) return log_failure(observed.error());
    const beside_endpoints more{.over = over->get(), .observed = observed->get()};
    if (more.observed != nullptr) {
        opened->sockets.push_back(
            {.socket = more.observed->socket(), .door = "metrics", .removes_file = false});
    }
    std::ranges::copy(output().descriptors(), std::back_inserter(what.keep));
    const auto policy = sandbox_of(common, pair.model, *shard_engine, what.sandbox);
    std::expected<sandbox::outcome, std::string> confined;
    unique_fd pid_file;
    std::unique_ptr<model::server> server;
    upgrade successor{**engine, opened->sockets, [&server, &more] {
                          if (more.observed != nullptr) more.observed->hand_over();
                          server->stop_for_successor();
                      }};
    auto made = model::make(
        pair.model, **engine, std::move(opened->endpoints),
        {.engine = *shard_engine,
         .shards = engine_options_in(common.sandbox),
         .workers = common.workers,
         .max_clients = common.max_clients,
         .max_per_address = common.max_per_address,
         .rate_per_address = common.rate_per_address,
         .trusted_proxies = trusted_proxies_of(common),
         .grace = common.grace,
         .log_to = [](std::string_view line) { log(log_level::warn, line); },
         .details = details_to_log(),
         .listening = [&]() -> result<void> {
             confined = settle(common, policy, what.sandbox, pid_file);
             if (!confined) return failure(fault::closed);
             if (more.observed == nullptr) return {};
             return more.observed->start(server.get());
         },
         .ready =
             [&] {
                 sandbox::forbid_new_rings(policy);
                 announce_all(opened->addresses, pair.model, *shard_engine, common, more.over);
                 announce_sandbox(common, *confined);
                 if (more.observed != nullptr) more.observed->announce();
                 announce_ready(opened->addresses);
                 if (what.on_ready) what.on_ready();
             },
         .on_stage = [&](model::stage now) { enter_stage(now, successor, more, what); },
         .keep = std::move(what.keep),
         .spread_evenly = what.spread_evenly,
         .publishes_loops = more.observed != nullptr});
    if (!made) return report_usage_error(command, made.error());
    server = std::move(*made);
    unsigned stop_requests = 0;
    const stop_signals stops{**engine, [&server, &stop_requests] {
                                 // CPU-bound work cannot be cancelled: it ends with the process.
                                 if (++stop_requests > 2) os::exit_at_once(EXIT_FAILURE);
                                 server->stop();
                             }};
    const server_signals signals{
        **engine, [&server] { server->stop(); },
        [&server, &doors, &more, &what] { announce_all_counters(*server, doors, more, what); },
        reload{all,
               server_of,
               {.who = what.who,
                .over = more.over,
                .set_limits =
                    [&server](const serve_options& now) {
                        server->set_limits(now.max_clients, now.max_per_address,
                                           now.rate_per_address);
                    }}},
        [&successor] { successor.request(); }};
    const watchdog alive{**engine, [&server] { return server->has_turned(); }};
    const auto ended = server->run();
    observed->reset();
    if (!confined) return log_failure(confined.error());
    if (!common.quiet) report(*server, pair.model);
    report_lost_access_lines();
    if (what.after) what.after();
    server_supervisor().end();
    if (!ended) {
        return log_failure(fmt::format("cannot serve any more: {}", ended.error().message()));
    }
    return stops.first() == SIGINT ? exit_status::interrupted : exit_status::done;
}

void raise_open_files() noexcept {
    rlimit limit{};
    if (os::sys().getrlimit(RLIMIT_NOFILE, limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    static_cast<void>(os::sys().setrlimit(RLIMIT_NOFILE, limit));
}

void log_pending_transfers(std::uint64_t transfers, std::chrono::milliseconds grace) {
    log(log_level::info,
        fmt::format("stopping: {} {} may go on for {} s, and {} at once if you stop again",
                    grouped(transfers), transfers == 1 ? "transfer" : "transfers",
                    std::chrono::duration<double>{grace}.count(), transfers == 1 ? "ends" : "end"));
}

void announce_listening(const net::address& where, model_kind model, io::engine_kind engine) {
    announce(fmt::format("listening on {} ({}, {})", where.to_string(), to_text(model),
                         io::to_text(engine)));
}

}  // namespace sluice::cli
