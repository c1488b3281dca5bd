// Names, descriptions and metrics of the counters of each service.
#include "sluice/cli/service_counters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/log.hpp"
#include "sluice/transfer/send_choice.hpp"

namespace sluice::cli {
namespace {

using metrics::durations;
using metrics::kind;
using metrics::label;
using metrics::sample;
using metrics::unit;

metrics::group of_shard(const chat::counters& c, std::string labels) {
    return {
        .title = "chat",
        .part = "sluice_chat",
        .labels = std::move(labels),
        .samples = {
            {.name = "members", .value = c.members, .description = "here now", .type = kind::gauge},
            {.name = "log_bytes",
             .value = c.log_bytes,
             .description = "kept in the logs of rooms now",
             .type = kind::gauge,
             .in = unit::bytes,
             .metric = "log"},
            {.name = "connected",
             .value = c.connected,
             .description = "members that were admitted"},
            {.name = "refused", .value = c.refused, .description = "turned away: too many"},
            {.name = "messages", .value = c.messages, .description = "said in rooms"},
            {.name = "message_bytes",
             .value = c.message_bytes,
             .description = "of them, as they came",
             .in = unit::bytes,
             .metric = "message",
             .help = "Bytes of what was said, as it came"},
            {.name = "deliveries",
             .value = c.deliveries,
             .description = "lines for members",
             .type = kind::listed},
            {.name = "sent_bytes",
             .value = c.sent_bytes,
             .description = "taken by the kernel",
             .in = unit::bytes,
             .metric = "sent"},
            {.name = "skipped",
             .value = c.skipped,
             .description = "lines that slow members missed"},
            {.name = "whispers", .value = c.whispers, .description = "lines for one member"},
            {.name = "commands",
             .value = c.commands,
             .description = "lines that began with a slash"},
            {.name = "put_off",
             .value = c.put_off,
             .description = "waits of commands for another turn"},
            {.name = "empty_lines", .value = c.empty_lines, .description = "dropped"},
            {.name = "held_back",
             .value = c.held_back,
             .description = "waits for --rate, --command-rate"},
            {.name = "names_refused",
             .value = c.names_refused,
             .description = "taken, unseen, or look-alikes"},
            {.name = "rooms",
             .value = c.rooms,
             .description = "open now, a copy a shard",
             .type = kind::gauge},
            {.name = "rooms_refused",
             .value = c.rooms_refused,
             .description = "beyond --max-rooms"},
            {.name = "private_lost",
             .value = c.private_lost,
             .description = "private lines beyond the limit"},
            {.name = "too_slow",
             .value = c.too_slow,
             .description = "disconnected: the window passed them"},
            {.name = "too_silent",
             .value = c.too_silent,
             .description = "disconnected: took nothing before the deadline"},
            {.name = "too_long",
             .value = c.too_long,
             .description = "lines beyond --max-line, dropped"},
            {.name = "strangers",
             .value = c.strangers,
             .description = "sent away: they speak HTTP or TLS"},
            {.name = "broken", .value = c.broken, .description = "connections that failed"},
            {.name = "no_memory",
             .value = c.no_memory,
             .description = "members ended, lines dropped for lack of it"},
            {.name = {},
             .value = c.deliveries + c.skipped,
             .metric = "deliveries",
             .help = "Lines for members, those included that slow ones missed"}}};
}

constexpr std::array<std::string_view, files::answer_counts::methods> methods{
    "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "other", "unknown"};

/// The answers of all threads and processes, by method and class of status; those that there were.
void add_answers(metrics::group& to, const files::http_counters& c) {
    for (std::size_t m = 0; m < methods.size(); ++m) {
        for (std::size_t k = 0; k < files::answer_counts::classes; ++k) {
            std::uint64_t count = 0;
            c.answered.each(
                [&](const files::answer_counts& each) { count += each.answers.at(m).at(k); });
            // A time series from the start for the common ones, so that a rate has a beginning.
            if (count == 0 && (methods.at(m) != "GET" || k != 1)) continue;
            to.samples.push_back(
                {.name = {},
                 .value = count,
                 .metric = "requests",
                 .labels = metrics::joined_labels(label("method", methods.at(m)),
                                                  label("status", fmt::format("{}xx", k + 1))),
                 .help = "Requests that were answered, by method and class of status"});
        }
    }
    durations times{.metric = "request",
                    .help = "From the end of a request's head to that of its answer"};
    c.answered.each(
        [&times](const files::answer_counts& each) { times.counted += each.times.read(); });
    to.histograms.push_back(std::move(times));
}

void add_costs(metrics::collection& to, std::string_view title, std::string_view peer,
               transfer::peer_kind kind) {
    metrics::group costs{
        .title = std::string{title}, .part = "sluice_send", .labels = label("peer", peer)};
    bool measured = false;
    for (const auto& row : transfer::send_costs_of(kind).rows()) {
        measured = measured || row.mebibytes > 0;
        const auto way = transfer::to_text(row.how);
        costs.samples.push_back(
            {.name = way,
             .value = row.us_per_gibibyte,
             .description = fmt::format("us of CPU per GiB, over {} MiB{}", row.mebibytes,
                                        row.chosen ? ": chosen" : ""),
             .type = kind::listed});
        costs.samples.push_back({.name = {},
                                 .value = row.us_per_gibibyte * 1000,
                                 .type = kind::gauge,
                                 .in = unit::nanoseconds,
                                 .metric = "cpu_per_gibibyte",
                                 .labels = label("strategy", way),
                                 .help = "CPU time that sending a GiB of a file costs, by the way "
                                         "of sending; 0 where it was not measured"});
    }
    if (measured) to.add(std::move(costs));
}

/// What people are shown of a title: the sums over its groups.
struct shown {
    std::string_view title;
    std::vector<counter> counters;

    void add(const sample& s) {
        const auto found = std::ranges::find(counters, s.name, &counter::name);
        if (found != counters.end()) {
            found->value += s.value;
        } else {
            counters.push_back({s.name, s.value, s.description});
        }
    }
};

}  // namespace

void collect(metrics::collection& to, const chat::chat_service& c) {
    std::size_t shard = 0;
    for (const auto& each : c.by_shard()) {
        to.add(of_shard(each, label("shard", std::to_string(shard++))));
    }
}

void collect(metrics::collection& to, const files::http_counters& c) {
    metrics::group all{
        .title = "files over HTTP",
        .part = "sluice_http",
        .samples = {
            {.name = "clients", .value = c.clients, .description = "connections"},
            {.name = "requests",
             .value = c.requests,
             .description = "whose heads were whole",
             .type = kind::listed},
            {.name = "transfers",
             .value = c.transfers,
             .description = "uploads and downloads, now",
             .type = kind::gauge},
            {.name = "stored", .value = c.stored, .description = "files that were put"},
            {.name = "bytes_stored",
             .value = c.bytes_stored,
             .description = "of uploads, kept or not",
             .in = unit::bytes,
             .metric = "stored",
             .help = "Bytes of uploads, kept or not"},
            {.name = "resumed",
             .value = c.resumed,
             .description = "uploads that went on after a cut"},
            {.name = "fetched",
             .value = c.fetched,
             .description = "files, or parts of them, that were sent"},
            {.name = "bytes_fetched",
             .value = c.bytes_fetched,
             .description = "of them",
             .in = unit::bytes,
             .metric = "fetched",
             .help = "Bytes of files that were sent"},
            {.name = "removed", .value = c.removed, .description = "files"},
            {.name = "lost", .value = c.lost, .description = "clients that left in the middle"},
            {.name = "bad_requests",
             .value = c.bad_requests,
             .description = "no HTTP, or ambiguous"},
            {.name = "other_hosts",
             .value = c.other_hosts,
             .description = "for a name that is not this server's"},
            {.name = "foreign_pages",
             .value = c.foreign_pages,
             .description = "writes by pages from elsewhere"},
            {.name = "forbidden",
             .value = c.forbidden,
             .description = "beyond --allow or the rights of an account"},
            {.name = "unknown",
             .value = c.unknown,
             .description = "requests with a wrong password or token"},
            {.name = "large_heads", .value = c.large_heads, .description = "beyond --max-head"},
            {.name = "slow_heads", .value = c.slow_heads, .description = "beyond --head-time"},
            {.name = "slow_bodies",
             .value = c.slow_bodies,
             .description = "beyond --body-time, or below --min-rate"},
            {.name = "idle", .value = c.idle, .description = "closed after --idle-time"},
            {.name = "too_large", .value = c.too_large, .description = "uploads beyond --max-size"},
            {.name = "no_room",
             .value = c.no_space,
             .description = "uploads beyond --quota, or what the disk has"},
            {.name = "wrong_digests",
             .value = c.wrong_digests,
             .description = "uploads that were not what was told"},
            {.name = "listed", .value = c.listed, .description = "directories that were shown"},
            {.name = "parts_waiting",
             .value = c.parts_waiting,
             .description = "uploads that wait to be resumed",
             .type = kind::gauge},
            {.name = "parts_expired",
             .value = c.parts_expired,
             .description = "beyond --keep-partial"},
            {.name = "parts_crowded_out",
             .value = c.parts_crowded_out,
             .description = "beyond --max-partial"},
            {.name = "cut_files",
             .value = c.cut_files,
             .description = "that shrank while they were sent"},
            {.name = "failed",
             .value = c.failed,
             .description = "answers that say it is our fault, and files not read to the end"}}};
    add_answers(all, c);
    to.add(std::move(all));
}

void collect(metrics::collection& to, const files::raw_counters& c) {
    to.add(
        {.title = "raw files",
         .part = "sluice_raw",
         .samples = {
             {.name = "clients", .value = c.clients, .description = "connections"},
             {.name = "transfers",
              .value = c.transfers,
              .description = "that go on now",
              .type = kind::gauge},
             {.name = "stored",
              .value = c.stored,
              .description = "files, those that were only counted included"},
             {.name = "bytes",
              .value = c.bytes,
              .description = "of them",
              .in = unit::bytes,
              .metric = "received",
              .help = "Bytes of raw streams"},
             {.name = "lost", .value = c.lost, .description = "clients that left before the end"},
             {.name = "strangers",
              .value = c.strangers,
              .description = "refused: they speak HTTP or TLS"},
             {.name = "too_large",
              .value = c.too_large,
              .description = "uploads beyond --max-size"},
             {.name = "failed",
              .value = c.failed,
              .description = "uploads that the disk did not take"},
             {.name = {},
              .value = c.slow,
              .metric = "slow",
              .help =
                  "Clients that were slower than --idle-time, --body-time or --min-rate allow"}}});
}

void collect(metrics::collection& to, const files::offer_counters& c) {
    to.add({.title = "offer",
            .part = "sluice_offer",
            .samples = {{.name = "clients", .value = c.clients, .description = "connections"},
                        {.name = "served",
                         .value = c.served,
                         .description = "clients that were sent all of it"},
                        {.name = "bytes",
                         .value = c.bytes,
                         .description = "that were sent",
                         .in = unit::bytes,
                         .metric = "sent"},
                        {.name = "lost",
                         .value = c.lost,
                         .description = "clients that left before the end"}}});
}

void collect(metrics::collection& to, const compute::compute_counters& c) {
    metrics::group all{
        .title = "compute",
        .part = "sluice_compute",
        .samples = {
            {.name = "at_once",
             .value = c.at_once,
             .description = "answers where the question was read"},
            {.name = "worked_on", .value = c.worked_on, .description = "answers after work"},
            {.name = "busy", .value = c.busy, .description = "refused: the queue was full"},
            {.name = "late", .value = c.late, .description = "refused after --deadline"},
            {.name = "failed", .value = c.failed, .description = "not answered: a program broke"},
            {.name = "too_long", .value = c.too_long, .description = "questions beyond --max-line"},
            {.name = "strangers",
             .value = c.strangers,
             .description = "closed: they speak HTTP or TLS"},
            {.name = "abandoned",
             .value = c.abandoned,
             .description = "not computed: the client had left"},
            {.name = "idle",
             .value = c.idle,
             .description = "connections closed after --idle-time"},
            {.name = "stalled",
             .value = c.stalled,
             .description = "connections closed after --stall-time"},
            {.name = "queued_ns",
             .value = c.queued_ns,
             .description = "waits before work, altogether",
             .type = kind::listed},
            {.name = "worked_ns",
             .value = c.worked_ns,
             .description = "work, altogether",
             .type = kind::listed}}};
    durations queued{.metric = "queue", .help = "How long jobs waited for a worker"};
    durations worked{.metric = "work", .help = "How long jobs ran"};
    c.times.each([&](const compute::job_times& each) {
        queued.counted += each.queued.read();
        worked.counted += each.worked.read();
    });
    all.histograms = {std::move(queued), std::move(worked)};
    to.add(std::move(all));
}

void collect(metrics::collection& to, const compute::process_counters& c) {
    to.add(
        {.title = "programs",
         .part = "sluice_programs",
         .samples = {{.name = "started", .value = c.started, .description = "processes of --exec"},
                     {.name = "ended",
                      .value = c.ended,
                      .description = "by themselves, or as they were told"},
                     {.name = "killed", .value = c.killed, .description = "by the server"},
                     {.name = "unasked",
                      .value = c.unasked,
                      .description = "lines that answered nothing"}}});
}

void collect_send_costs(metrics::collection& to) {
    add_costs(to, "sends to this machine", "loopback", transfer::peer_kind::loopback);
    add_costs(to, "sends to other machines", "network", transfer::peer_kind::network);
}

void announce_counters(const metrics::collection& all) {
    std::vector<shown> titles;
    for (const auto& each : all.groups()) {
        if (each.title.empty()) continue;
        auto found = std::ranges::find(titles, each.title, &shown::title);
        if (found == titles.end()) {
            titles.push_back({each.title, {}});
            found = std::prev(titles.end());
        }
        for (const auto& one : each.samples) {
            if (!one.name.empty()) found->add(one);
        }
    }
    for (const auto& each : titles) announce_counters(each.title, each.counters);
}

}  // namespace sluice::cli
