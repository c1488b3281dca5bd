// Opens engines and listeners, and runs services until signals stop them.
#include "sluice/cli/run_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/cli/commands.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/pid_file.hpp"
#include "sluice/cli/reload.hpp"
#include "sluice/cli/server_metrics.hpp"
#include "sluice/cli/server_signals.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/service_manager.hpp"
#include "sluice/cli/stop_signals.hpp"
#include "sluice/cli/supervisor.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/upgrade.hpp"
#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/model/make.hpp"
#include "sluice/model/with_login.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

std::string why_no_uring(error refusal) {
    const auto support = io::probe_uring();
    if (support.usable) {
        return fmt::format("io_uring cannot be set up ({}); use --engine epoll", refusal.message());
    }
    return fmt::format("io_uring does not work here: {}; {}, or use --engine epoll",
                       support.why_not, support.remedy);
}

/// Retries for a second on EADDRINUSE: the kernel frees the port of a killed io_uring server only
/// when it takes down the ring, after the process has ended.
result<unique_fd> listen_with_retry(const net::address& where, const net::listen_options& o) {
    constexpr auto timeout = std::chrono::seconds{1};
    constexpr auto pause = std::chrono::milliseconds{20};
    const auto until = io::clock::now() + timeout;
    for (;;) {
        auto socket = net::listen(where, o);
        if (socket || !socket.error().is(EADDRINUSE) || io::clock::now() > until) return socket;
        os::sleep_for(pause);
    }
}

std::string why_no_listener(const net::address& where, error why, std::string_view flag) {
    std::string advice = fmt::format("choose another address with {}", flag);
    if (where.is_unix() && why.is(EADDRINUSE)) {
        advice = fmt::format(
            "end the program that has it, or remove the file if it is no socket, or choose another "
            "with {}",
            flag);
    } else if (where.is_unix() && why.is(ENOENT)) {
        advice = "make its directory first";
    } else if (where.is_unix() && (why.is(EACCES) || why.is(EPERM) || why.is(EROFS))) {
        advice = fmt::format(
            "its directory is to be one where this user may make files, and --socket-group a group "
            "of this user; or choose another with {}",
            flag);
    } else if (why.is(EADDRINUSE) && where.port() == 0) {
        advice = "no port is free: end what has them, or widen net.ipv4.ip_local_port_range";
    } else if (why.is(EADDRINUSE)) {
        advice = fmt::format("end the program that has it, or choose another port with {}", flag);
    } else if (why.is(EACCES)) {
        advice = fmt::format("ports below 1024 are root's, choose another with {}", flag);
    } else if (why.is(EADDRNOTAVAIL)) {
        advice = fmt::format("it is no address of this machine, choose another with {}", flag);
    }
    return fmt::format("cannot listen on {}: {}; {}", where.to_string(), why.message(), advice);
}

}  // namespace

std::expected<std::unique_ptr<io::engine>, std::string> open_engine(engine_request wanted,
                                                                    const io::engine_options& o) {
    auto kind = io::engine_kind::epoll;
    std::string reason;
    switch (wanted) {
        case engine_request::automatic:
            kind = io::automatic_engine().kind;
            reason = io::automatic_engine().reason;
            break;
        case engine_request::blocking: kind = io::engine_kind::blocking; break;
        case engine_request::epoll: break;
        case engine_request::uring: kind = io::engine_kind::uring; break;
    }
    auto made = io::make_engine(kind, o);
    if (!made && wanted == engine_request::automatic && kind == io::engine_kind::uring) {
        reason = made.error().message();
        made = io::make_engine(io::engine_kind::epoll, o);
    }
    if (made) {
        if (!reason.empty()) {
            announce(fmt::format("io_uring does not work here, so epoll is used: {}", reason));
        }
        return std::move(*made);
    }
    if (wanted == engine_request::uring) return std::unexpected{why_no_uring(made.error())};
    return std::unexpected{
        fmt::format("cannot set up the engine {}: {}", io::to_text(kind), made.error().message())};
}

std::expected<unique_fd, std::string> open_listener(const std::string& where, std::string_view flag,
                                                    const net::listen_options& o) {
    if (auto given = inherited().take(door_of(flag)); !given.empty()) {
        return std::move(given.front().socket);
    }
    const auto addresses = net::resolve(where);
    if (!addresses) {
        return std::unexpected{
            fmt::format("cannot listen on {}: {}; check the name, or give an IP "
                        "address",
                        in_quotes(where), addresses.error().message())};
    }
    std::optional<std::string> first_refusal;
    for (const auto& address : *addresses) {
        auto socket = listen_with_retry(address, o);
        if (socket && address.is_unix()) server_supervisor().remove_at_end(address.path());
        if (socket) return std::move(*socket);
        if (!first_refusal) first_refusal = why_no_listener(address, socket.error(), flag);
    }
    return std::unexpected{*first_refusal};
}

namespace {

/// The kind of engine for the shards, found by opening one; its errors are explained.
std::expected<io::engine_kind, std::string> engine_of(const pairing& pair) {
    if (pair.model != model_kind::event) return io::engine_kind::blocking;
    auto tried = open_engine(pair.engine);
    if (!tried) return std::unexpected{tried.error()};
    return (*tried)->which();
}

/// Listeners with their services, their addresses, and their sockets for a successor.
struct open_listeners {
    std::vector<model::endpoint> endpoints;
    std::vector<bound_address> addresses;
    std::vector<supervisor::handed> sockets;
};

/// As many sockets that share an address as there are shards. Fails if another server has it:
/// unnoticed, a server that shares it too would take half of the clients.
std::expected<std::vector<unique_fd>, std::string> open_for_shards(const served_at& door,
                                                                   std::size_t shards) {
    if (auto alone = open_listener(door.where, door.flag); !alone) {
        return std::unexpected{alone.error()};
    }
    std::vector<unique_fd> all;
    auto first = open_listener(door.where, door.flag, {.share_port = true});
    if (!first) return std::unexpected{first.error()};
    all.push_back(std::move(*first));
    const auto where = net::address::local_of(all.front().get());
    while (where && all.size() < shards) {
        auto another = net::listen(*where, {.share_port = true});
        if (!another) return std::unexpected{why_no_listener(*where, another.error(), door.flag)};
        all.push_back(std::move(*another));
    }
    return all;
}

/// The sockets of a door: those that were inherited, or new ones.
std::expected<std::vector<inherited_sockets::one>, std::string> open_door(
    const served_at& door, const serve_options& common, model_kind model) {
    auto all = inherited().take(door_of(door.flag));
    for (const auto& each : all) {
        if (!each.removes_file) continue;
        if (const auto where = net::address::local_of(each.socket.get())) {
            server_supervisor().remove_at_end(where->path());
        }
    }
    if (!all.empty()) return all;
    const bool is_unix = net::address::parse(door.where).value_or(net::address{}).is_unix();
    if (is_unix || model != model_kind::event) {
        auto one = open_listener(door.where, door.flag, {.allowed = common.doors.sockets});
        if (!one) return std::unexpected{one.error()};
        all.push_back({.socket = std::move(*one), .removes_file = is_unix});
        return all;
    }
    auto made = open_for_shards(door, model::workers_of(common.workers));
    if (!made) return std::unexpected{made.error()};
    for (auto& each : *made) all.push_back({.socket = std::move(each)});
    return all;
}

std::expected<open_listeners, std::string> open_all(std::vector<served_at> wanted,
                                                    const serve_options& common, model_kind model,
                                                    tls::server_context* over) {
    open_listeners all;
    for (auto& each : wanted) {
        auto opened = open_door(each, common, model);
        if (!opened) return std::unexpected{opened.error()};
        std::vector<unique_fd> sockets;
        for (auto& one : *opened) {
            all.sockets.push_back({.socket = one.socket.get(),
                                   .door = std::string{door_of(each.flag)},
                                   .removes_file = one.removes_file});
            sockets.push_back(std::move(one.socket));
        }
        const auto where = net::address::local_of(sockets.front().get()).value_or(net::address{});
        all.addresses.push_back({where, std::move(each.what), std::move(each.visitors)});
        auto first = std::move(sockets.front());
        sockets.erase(sockets.begin());
        all.endpoints.push_back(
            {.listener = std::move(first),
             .more = std::move(sockets),
             .is_complete = true,
             .serve = each.door.who == nullptr
                          ? std::move(each.serve)
                          : model::with_login(
                                std::move(each.door), std::move(each.serve),
                                {.log = access_log_of(common.access, model), .kind = each.event}),
             .state = std::move(each.state),
             .over = {.context = over,
                      .protocol = each.protocol,
                      .answer_plain = std::move(each.answer_plain),
                      .failed = log_failed_handshake}});
    }
    return all;
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

/// Short names of the listeners, for labels: their flags; a number behind it where several have the
/// same.
std::vector<std::string> names_of(const std::vector<served_at>& listeners) {
    std::vector<std::string> all;
    for (const auto& each : listeners) {
        const std::string name{each.flag.substr(std::min<std::size_t>(2, each.flag.size()))};
        std::string unique = name;
        for (unsigned number = 2; std::ranges::find(all, unique) != all.end(); ++number) {
            unique = fmt::format("{}-{}", name, number);
        }
        all.push_back(std::move(unique));
    }
    return all;
}

/// Why a service may not be let beyond this machine, a sentence without its full stop.
std::optional<std::string> why_not_open(const serve_options& common,
                                        const std::vector<served_at>& listeners) {
    for (const auto& each : listeners) {
        if (!each.needs_open || common.open || common.auth.on() ||
            !common.tls.client_authorities.empty() || is_on_this_machine(each.where, common)) {
            continue;
        }
        return fmt::format(
            "{} {} would let everybody who can reach it {}; say --open if that is "
            "meant, or choose an address of this machine alone, as in "
            "127.0.0.1:PORT",
            each.flag, each.where, each.visitors);
    }
    return std::nullopt;
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

std::string say_tls(std::string_view /*first*/) {
    return std::string{tls::line_for_plain};
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

/// Says WATCHDOG=1 for as long as the server's loop turns, and those of its shards.
class watchdog : io::timer {
 public:
    watchdog(io::engine& engine, model::server& server) noexcept
        : timer{[](timer& t) noexcept { static_cast<watchdog&>(t).turn(); }},
          engine_{engine},
          server_{server} {
        if (manager().watchdog() > io::duration{}) arm();
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog() { engine_.timers().disarm(*this); }

 private:
    void arm() noexcept {
        engine_.timers().arm(*this, io::after(io::clock::now(), manager().watchdog()));
    }
    void turn() noexcept {
        if (server_.has_turned()) manager().alive();
        if (manager().watchdog() > io::duration{}) arm();
    }

    io::engine& engine_;
    model::server& server_;
};

/// What a service manager shows of a server.
std::string status_of(const std::vector<bound_address>& addresses) {
    std::string all{"serving"};
    for (const auto& each : addresses) {
        all += fmt::format("{}{} on {}", all.back() == 'g' ? " " : ", ",
                           each.what.empty() ? std::string_view{"clients"} : each.what,
                           each.where.to_string());
    }
    return all;
}

/// The lock on the pid file. That of a successor comes to `path` once it serves, if there is a
/// supervisor that puts it there: until then it may fail, and the server before goes on.
std::expected<unique_fd, std::string> hold_pid_file(const std::string& path) {
    std::expected<unique_fd, std::string> held;
    if (inherited().is_successor()) {
        auto made = prepare_pid_file(path);
        if (!made) return std::unexpected{std::move(made.error())};
        if (server_supervisor().place_at_confirmation(made->path, path)) {
            return std::move(made->lock);
        }
        held = place_pid_file(std::move(*made), path);
    } else {
        held = write_pid_file(path);
    }
    if (held) server_supervisor().remove_at_end(path);
    return held;
}

/// What is to be given up, and what to be had before: the pid file, which is held.
std::expected<sandbox::outcome, std::string> settle(const serve_options& common,
                                                    const sandbox::policy& policy,
                                                    const sandboxed_service& service,
                                                    unique_fd& pid_file) {
    if (const auto& path = common.doors.pid_file; !path.empty()) {
        auto held = hold_pid_file(path);
        if (!held) return std::unexpected{held.error()};
        pid_file = std::move(*held);
    }
    server_supervisor().seal();
    return enter_sandbox(policy, service);
}

/// All doors serve: this is said to people, to a service manager, and to the server before.
void announce_ready(const std::vector<bound_address>& addresses) {
    if (const auto placed = server_supervisor().confirm(); !placed) {
        log(log_level::warn, fmt::format("--pid-file is still that of the server before: {}",
                                         placed.error().message()));
    }
    inherited().tell_ready();
    manager().ready(status_of(addresses));
}

}  // namespace

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
    const watchdog alive{**engine, *server};
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

bool is_on_this_machine(const std::string& where, const serve_options& common) {
    if (!common.trusted_proxies.empty()) return false;
    const auto addresses = net::resolve(where);
    return !addresses || std::ranges::all_of(*addresses, &net::address::is_loopback);
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
