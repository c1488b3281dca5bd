// Implements summarize(): rates of counters, percentiles of histograms, loads of shards.
#include "sluice/cli/top/summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

namespace sluice::cli::top {
namespace {

using metrics::scrape;

/// An activity: the counters that it is the sum of, those that the server has, and a histogram.
struct source {
    std::string_view name;
    std::array<std::string_view, 3> counters;
    std::string_view histogram = {};
    bool in_bytes = false;
};

constexpr auto sources = std::to_array<source>({
    {.name = "requests",
     .counters = {"sluice_http_requests_total"},
     .histogram = "sluice_http_request_seconds"},
    {.name = "messages", .counters = {"sluice_chat_messages_total"}},
    {.name = "deliveries", .counters = {"sluice_chat_deliveries_total"}},
    {.name = "questions",
     .counters = {"sluice_compute_at_once_total", "sluice_compute_worked_on_total"},
     .histogram = "sluice_compute_work_seconds"},
    {.name = "queued",
     .counters = {"sluice_compute_worked_on_total"},
     .histogram = "sluice_compute_queue_seconds"},
    {.name = "talks", .counters = {"sluice_talk_conversations_total"}},
    {.name = "bytes in",
     .counters = {"sluice_http_stored_bytes_total", "sluice_raw_received_bytes_total",
                  "sluice_chat_message_bytes_total"},
     .in_bytes = true},
    {.name = "bytes out",
     .counters = {"sluice_http_fetched_bytes_total", "sluice_offer_sent_bytes_total",
                  "sluice_chat_sent_bytes_total"},
     .in_bytes = true},
    {.name = "handshakes", .counters = {"sluice_tls_handshakes_total"}},
    {.name = "wrong logins", .counters = {"sluice_logins_wrong_total"}},
});

/// A number for each value of a label.
using by_label = std::map<std::string_view, double>;

double number_of(const by_label& all, std::string_view value) noexcept {
    const auto found = all.find(value);
    return found == all.end() ? 0 : found->second;
}

/// Between two scrapes. A server that has begun anew counts from 0.
class difference {
 public:
    difference(const scrape& before, const scrape& now, double seconds) noexcept
        : before_{before}, now_{now}, seconds_{std::max(seconds, 1e-9)} {}

    [[nodiscard]] double rate(std::string_view name) const noexcept {
        return rate(before_.sum(name), now_.sum(name));
    }
    /// For each value of a label.
    [[nodiscard]] by_label rates(std::string_view name, std::string_view of) const {
        auto all = now_.sums(name, of);
        const auto before = before_.sums(name, of);
        for (auto& [value, each] : all) each = rate(number_of(before, value), each);
        return all;
    }
    [[nodiscard]] std::optional<double> quantile(std::string_view histogram, double share) const {
        if (histogram.empty()) return std::nullopt;
        const double found = metrics::quantile(before_, now_, histogram, share);
        return std::isnan(found) ? std::nullopt : std::optional{found};
    }

 private:
    [[nodiscard]] double rate(double before, double now) const noexcept {
        return (now < before ? now : now - before) / seconds_;
    }

    const scrape& before_;
    const scrape& now_;
    double seconds_;
};

std::vector<activity> activities_of(const scrape& now, const difference& change) {
    std::vector<activity> all;
    for (const auto& each : sources) {
        const auto is_there = [&now](std::string_view name) { return now.has(name); };
        if (std::ranges::none_of(each.counters, is_there)) continue;
        activity found{.name = std::string{each.name},
                       .in_bytes = each.in_bytes,
                       .median = change.quantile(each.histogram, 0.5),
                       .slowest = change.quantile(each.histogram, 0.99)};
        for (const auto counter : each.counters) {
            found.rate += change.rate(counter);
            found.total += now.sum(counter);
        }
        all.push_back(std::move(found));
    }
    return all;
}

std::vector<door> doors_of(const scrape& now, const difference& change) {
    constexpr std::string_view accepted = "sluice_clients_accepted_total";
    const auto connected = now.sums("sluice_clients_connected", "door");
    const auto rates = change.rates(accepted, "door");
    const auto totals = now.sums(accepted, "door");
    std::vector<door> all;
    for (auto& name : now.values(accepted, "door")) {
        all.push_back({.connected = number_of(connected, name),
                       .rate = number_of(rates, name),
                       .total = number_of(totals, name)});
        all.back().name = std::move(name);
    }
    return all;
}

std::vector<shard> shards_of(const scrape& now, const difference& change) {
    const auto loads = change.rates("sluice_loop_busy_seconds_sum", "shard");
    const auto turns = change.rates("sluice_loop_turns_total", "shard");
    const auto run_queues = now.sums("sluice_loop_run_queue", "shard");
    const auto clients = now.sums("sluice_clients_connected", "shard");
    const auto buffers = now.sums("sluice_loop_buffers", "shard");
    std::vector<shard> all;
    for (auto& name : now.values("sluice_loop_turns_total", "shard")) {
        all.push_back({.load = number_of(loads, name),
                       .turns = number_of(turns, name),
                       .run_queue = number_of(run_queues, name),
                       .clients = number_of(clients, name),
                       .buffers = number_of(buffers, name)});
        all.back().name = std::move(name);
    }
    return all;
}

nlohmann::ordered_json or_null(const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

}  // namespace

summary summarize(const scrape& before, const scrape& now, double seconds, double now_unix) {
    const difference change{before, now, seconds};
    summary all;
    all.version = now.first("sluice_build_info", "version");
    all.engine = now.first("sluice_build_info", "engine");
    all.model = now.first("sluice_build_info", "model");
    all.ready = now.sum("sluice_ready") > 0;
    all.uptime = std::max(0.0, now_unix - now.sum("process_start_time_seconds"));
    all.connected = now.sum("sluice_clients_connected");
    all.limit = now.sum("sluice_clients_limit");
    all.most = now.sum("sluice_clients_most");
    all.shed = now.sum("sluice_clients_shed_total");
    all.refused = now.sum("sluice_clients_refused_total");
    all.memory = now.sum("process_resident_memory_bytes");
    all.cpu = change.rate("process_cpu_seconds_total") +
              change.rate("process_children_cpu_seconds_total");
    all.descriptors = now.sum("process_open_fds");
    all.activities = activities_of(now, change);
    all.doors = doors_of(now, change);
    all.shards = shards_of(now, change);
    return all;
}

nlohmann::ordered_json to_json(const summary& s) {
    nlohmann::ordered_json all = {
        {"server",
         {{"version", s.version},
          {"engine", s.engine},
          {"model", s.model},
          {"ready", s.ready},
          {"uptime_seconds", s.uptime}}},
        {"clients",
         {{"connected", s.connected},
          {"limit", s.limit},
          {"most", s.most},
          {"shed", s.shed},
          {"refused", s.refused}}},
        {"process",
         {{"memory_bytes", s.memory}, {"cpu_cores", s.cpu}, {"descriptors", s.descriptors}}},
        {"activities", nlohmann::ordered_json::array()},
        {"doors", nlohmann::ordered_json::array()},
        {"shards", nlohmann::ordered_json::array()}};
    for (const auto& each : s.activities) {
        all["activities"].push_back({{"name", each.name},
                                     {"rate", each.rate},
                                     {"total", each.total},
                                     {"p50_seconds", or_null(each.median)},
                                     {"p99_seconds", or_null(each.slowest)}});
    }
    for (const auto& each : s.doors) {
        all["doors"].push_back({{"name", each.name},
                                {"connected", each.connected},
                                {"rate", each.rate},
                                {"total", each.total}});
    }
    for (const auto& each : s.shards) {
        all["shards"].push_back({{"name", each.name},
                                 {"load", each.load},
                                 {"turns", each.turns},
                                 {"run_queue", each.run_queue},
                                 {"clients", each.clients},
                                 {"buffers", each.buffers}});
    }
    return all;
}

}  // namespace sluice::cli::top
