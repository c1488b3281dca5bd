// Implements server_metrics: what every server counts, and the thread or loop of its door.
#include "sluice/cli/server_metrics.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

#include "sluice/cli/log.hpp"
#include "sluice/cli/server_listeners.hpp"
#include "sluice/metrics/process.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/host_name.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;
using metrics::joined_labels;
using metrics::kind;
using metrics::label;
using metrics::sample;
using metrics::unit;

constexpr std::string_view flag = "--metrics";
// A turn of a shard that lasts so long does not end: no wait of it is so long.
constexpr auto stuck_after = 10s;

// One client at a time, mostly.
constexpr io::engine_options small{.buffers = {.count = 64, .at_first = 8}};

sample of_metric(std::string_view metric, metrics::kind type, std::uint64_t value,
                 std::string_view help) {
    return {.name = {}, .value = value, .type = type, .metric = metric, .help = help};
}

metrics::group of_loop(const io::loop_counters& c, std::string labels) {
    return {
        .part = "sluice_loop",
        .labels = std::move(labels),
        .samples = {of_metric("turns", kind::counter, c.turns, "Turns of a shard's loop"),
                    of_metric("operations", kind::counter, c.operations,
                              "Operations that were submitted"),
                    of_metric("operations_at_once", kind::counter, c.at_once,
                              "Operations that completed without waiting"),
                    of_metric("cancels", kind::counter, c.cancels,
                              "Operations that were cancelled in flight"),
                    of_metric("buffer_waits", kind::counter, c.buffer_waits,
                              "Operations that found no free buffer"),
                    of_metric("submission_overflows", kind::counter, c.submission_overflows,
                              "Operations that found io_uring's submission queue full"),
                    of_metric("completion_overflows", kind::counter, c.completion_overflows,
                              "Turns that found io_uring's completion queue overflown"),
                    of_metric("resumed", kind::counter, c.resumed, "Coroutines that were resumed"),
                    of_metric("turns_cut_short", kind::counter, c.cut_short,
                              "Turns that left coroutines for the next"),
                    of_metric("run_queue", kind::gauge, c.resumed_last,
                              "Coroutines that the last turn resumed"),
                    of_metric("buffers", kind::gauge, c.buffers, "Receive buffers that are in use"),
                    of_metric("operations_in_flight", kind::gauge, c.in_flight,
                              "Operations that wait")},
        .histograms = {
            {.metric = "busy", .counted = c.busy.read(), .help = "Turns, without their waits"}}};
}

metrics::group of_door(const metrics::door& door) {
    const auto& c = door.counted();
    return {
        .part = "sluice_metrics",
        .samples = {
            of_metric("connections", kind::gauge, c.connections, "Connections to this address"),
            of_metric("connections_refused", kind::counter, c.refused,
                      "Connections that were reset, for there were too many"),
            of_metric("requests", kind::counter, c.requests, "Requests at this address"),
            of_metric(
                "bad_requests", kind::counter, c.bad_requests,
                "Of them, those that are no HTTP, came too slowly, or asked for another host"),
            of_metric("slow", kind::counter, c.slow,
                      "Heads that did not come, and answers not taken, in "
                      "time"),
            of_metric("unknown", kind::counter, c.unknown, "Requests without the right 'metrics'"),
            of_metric("scrapes", kind::counter, c.scrapes, "Answers with metrics")}};
}

}  // namespace

void collect_clients(metrics::collection& to, const model::server& server,
                     const std::vector<std::string>& doors) {
    const auto& c = server.counted();
    to.add({.title = "clients",
            .part = "sluice_clients",
            .samples = {
                {.name = "accepted",
                 .value = c.accepted,
                 .description = "connections",
                 .type = kind::listed},
                {.name = "here",
                 .value = c.accepted - c.ended,
                 .description = "now",
                 .type = kind::listed},
                {.name = "most", .value = c.most, .description = "at a time", .type = kind::gauge},
                {.name = "shed",
                 .value = c.shed,
                 .description = "closed at once: no descriptor for them"},
                {.name = "refused",
                 .value = c.refused,
                 .description = "closed at once: too many or too often from an address"},
                {.name = "announced",
                 .value = c.announced,
                 .description = "connections of which a trusted proxy said whose"},
                {.name = "bad_headers",
                 .value = c.bad_headers,
                 .description = "closed: a trusted proxy's PROXY header is no good"},
                {.name = "crashed",
                 .value = c.crashed,
                 .description = "processes that ended by a signal"},
                {.name = "retries",
                 .value = c.retries,
                 .description = "waits for a thread or process"}}});
    metrics::group by_door{.part = "sluice_clients"};
    std::size_t number = 0;
    for (const auto& shard : server.by_shard()) {
        const auto of_shard =
            server.has_shards() ? label("shard", std::to_string(number)) : std::string{};
        ++number;
        for (std::size_t i = 0; i < shard.clients.size(); ++i) {
            const auto labels = joined_labels(label("door", doors.at(i)), of_shard);
            const std::uint64_t ended = shard.clients[i].ended;
            const std::uint64_t accepted = shard.clients[i].accepted;
            auto all = of_metric("accepted", kind::counter, accepted, "Clients that were served");
            auto here = of_metric("connected", kind::gauge, accepted - ended, "Clients now");
            all.labels = here.labels = labels;
            by_door.samples.push_back(std::move(all));
            by_door.samples.push_back(std::move(here));
        }
    }
    to.add(std::move(by_door));
}

void collect_handshakes(metrics::collection& to, const tls::counters& c) {
    const auto of_outcome = [](std::string_view name, std::uint64_t value,
                               std::string_view description) -> sample {
        return {.name = name,
                .value = value,
                .description = std::string{description},
                .metric = "handshakes",
                .labels = label("outcome", name),
                .help = "Handshakes of TLS: full, resumed by a ticket, or broken off"};
    };
    to.add({.title = "TLS",
            .part = "sluice_tls",
            .samples = {of_outcome("full", c.full, "handshakes"),
                        of_outcome("resumed", c.resumed, "handshakes with a ticket"),
                        of_outcome("failed", c.failed, "handshakes that were broken off"),
                        {.name = "slow",
                         .value = c.slow,
                         .description = "of them, for lack of time",
                         .help = "Handshakes that were broken off for lack of time"},
                        {.name = "plain",
                         .value = c.plain,
                         .description = "clients that did not speak TLS"}}});
}

void collect_logins(metrics::collection& to, const auth::login_counters& c) {
    to.add(
        {.title = "logins",
         .part = "sluice_logins",
         .samples = {
             {.name = "admitted", .value = c.admitted, .description = "by a password or a token"},
             {.name = "wrong", .value = c.wrong, .description = "names, passwords and tokens"},
             {.name = "too_often",
              .value = c.too_often,
              .description = "refused unheard: their address had failed too often"},
             {.name = "hashed",
              .value = c.hashed,
              .description = "passwords that had to be hashed"}}});
}

std::optional<std::string> why_no_metrics(const serve_options& common) {
    const auto& where = common.metrics;
    if (where.empty() || common.open || is_on_this_machine(where, common)) return std::nullopt;
    if (!common.tls.client_authorities.empty()) return std::nullopt;
    if (!common.auth.on()) {
        return fmt::format(
            "{} {} would let everybody who can reach it read the server's counters; say --open if "
            "that is meant, --auth to ask for an account with the right 'metrics', or choose an "
            "address of this machine alone, as in 127.0.0.1:PORT",
            flag, where);
    }
    if (common.tls.is_required() || common.auth.insecure) return std::nullopt;
    return fmt::format(
        "{} {} with --auth would have passwords travel in the clear; say --tls, or "
        "--insecure-auth if that is meant",
        flag, where);
}

server_metrics::server_metrics(source s, unique_fd listener)
    : source_{std::move(s)},
      listener_{std::move(listener)},
      where_{net::address::local_of(listener_.get()).value_or(net::address{})},
      started_ns_{os::sys().wall_ns()},
      origins_{{}, {}, os::host_name()},
      door_{{.collect = [this] { return collect(); },
             .why_stuck = [this] { return why_stuck(); },
             .over = {.context = source_.over, .protocol = "http/1.1"},
             // On this machine alone, all may ask, but for pages of strangers in a browser.
             .who = where_.is_loopback() && source_.common.trusted_proxies.empty() ? nullptr
                                                                                   : source_.who,
             .origins = where_.is_loopback() ? &origins_ : nullptr,
             .most = source_.common.metrics_max_clients}},
      hand_over_{door_} {}

server_metrics::hand_over_message::hand_over_message(metrics::door& d) noexcept
    : message{[](message& m) noexcept {
          static_cast<hand_over_message&>(m).door.stop_accepting();
      }},
      door{d} {}

std::expected<std::unique_ptr<server_metrics>, std::string> server_metrics::open(source s) {
    auto listener = open_listener(s.common.metrics, flag);
    if (!listener) return std::unexpected{listener.error()};
    return std::unique_ptr<server_metrics>{new server_metrics{std::move(s), std::move(*listener)}};
}

server_metrics::~server_metrics() {
    if (!inner_) return;  // a thread stops with its shard
    root_->cancel();
    while (running_->size() > 0) inner_->engine().run_once(io::never);
    running_.reset();
    root_.reset();
}

result<void> server_metrics::start(const model::server* server) {
    server_ = server;
    if (source_.model != model::kind::fork) {
        auto started = io::shard::start(
            {.kind = io::engine_kind::epoll, .engine = small, .cpu = {}},
            [this](io::engine& engine) { return door_.serve(engine, std::move(listener_)); });
        if (!started) return failure(started.error());
        thread_ = std::move(*started);
        return {};
    }
    auto made = io::inner_engine::create(static_cast<io::blocking_engine&>(source_.outer), small);
    if (!made) return failure(made.error());
    inner_ = std::move(*made);
    root_.emplace(inner_->engine().ready());
    running_.emplace(*root_);
    auto begun = running_->spawn(door_.serve(inner_->engine(), std::move(listener_)));
    inner_->run();
    return begun;
}

void server_metrics::announce() {
    door_.set(metrics::readiness::ready);
    cli::announce(fmt::format("metrics on {}", where_.to_string()));
}

void server_metrics::hand_over() noexcept {
    if (std::exchange(is_handed_over_, true)) return;
    if (!inner_) return thread_->engine().post(hand_over_);
    door_.stop_accepting();
    inner_->run();
}

metrics::collection server_metrics::collect() const {
    metrics::collection all;
    const auto one = [&all](std::string_view part, std::string_view metric, std::uint64_t value,
                            std::string_view help) {
        all.add({.part = part, .samples = {of_metric(metric, kind::gauge, value, help)}});
    };
    all.add(
        {.part = "sluice_build",
         .labels = joined_labels(joined_labels(label("version", SLUICE_VERSION),
                                               label("engine", io::to_text(source_.engine))),
                                 label("model", model::to_text(source_.model))),
         .samples = {of_metric("info", kind::gauge, 1, "The program, its engine and its model")}});
    one("sluice", "ready", door_.now() == metrics::readiness::ready ? 1 : 0,
        "Whether all doors listen and take clients");
    one("sluice_clients", "limit", source_.common.max_clients,
        "Clients that there may be at each door (--max-clients)");
    if (server_ != nullptr) collect_clients(all, *server_, source_.doors);
    if (source_.over != nullptr) collect_handshakes(all, source_.over->counting());
    if (source_.who != nullptr) collect_logins(all, source_.who->counted());
    if (source_.count) source_.count(all);
    std::size_t number = 0;
    for (const auto& each : shards()) {
        if (each.loop != nullptr) {
            all.add(of_loop(*each.loop, label("shard", std::to_string(number))));
        }
        ++number;
    }
    all.add(of_door(door_));
    all.add(metrics::process_group(started_ns_));
    return all;
}

std::vector<model::shard_counts> server_metrics::shards() const {
    return server_ == nullptr ? std::vector<model::shard_counts>{} : server_->by_shard();
}

std::string server_metrics::why_stuck() const {
    std::size_t number = 0;
    const auto now = os::clock::now().time_since_epoch();
    for (const auto& each : shards()) {
        const std::int64_t since = each.loop == nullptr ? 0 : each.loop->busy_since.load();
        if (since != 0 && now - std::chrono::nanoseconds{since} > stuck_after) {
            return fmt::format(
                "shard {} has been in one turn of its loop for {} s", number,
                std::chrono::floor<std::chrono::seconds>(now - std::chrono::nanoseconds{since})
                    .count());
        }
        ++number;
    }
    return {};
}

}  // namespace sluice::cli
