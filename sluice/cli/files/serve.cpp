// Implements `sluice files serve`: opens the store, and serves it over HTTP and plain streams.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/cli/files/access.hpp"
#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/raw_service.hpp"
#include "sluice/files/server/redirect_to_tls.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/os/signal_action.hpp"

namespace sluice::cli {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view default_http = "127.0.0.1:8080";
constexpr std::string_view default_raw = "127.0.0.1:5001";
constexpr std::uint64_t most_partial = 1'000'000;
constexpr std::size_t most_listed = 10'000'000;

struct files_serve_settings {
    serve_options common;
    file_access access;
    std::string directory;
    std::string http;  // without http and raw: both, at their defaults
    std::string raw;
    files::http_options allowed;
    std::uint64_t quota = files::quota::unlimited;
    std::uint64_t free_inodes = files::store::options{}.free_inodes;
    milliseconds keep_partial{std::chrono::hours{24}};
    std::uint64_t max_partial = files::parts::limits{}.count;
    milliseconds head_time{std::chrono::seconds{10}};
    milliseconds idle_time{std::chrono::seconds{60}};
    milliseconds body_time{std::chrono::seconds{30}};
    bool create = false;
    bool discard = false;
    bool no_sync = false;
    bool stats = false;
};

/// How often the sweeper looks for expired parts of uploads.
milliseconds pause_for(milliseconds keep_partial) {
    constexpr milliseconds shortest{100};
    constexpr milliseconds longest{std::chrono::minutes{1}};
    return std::clamp(keep_partial / 4, shortest, longest);
}

/// Of the doors that are served.
std::vector<std::string> addresses_of(const files_serve_settings& s) {
    std::vector<std::string> all;
    for (const auto* each : {&s.http, &s.raw}) {
        if (!each->empty()) all.push_back(*each);
    }
    return all;
}

exit_status serve_files(const CLI::App& command, files_serve_settings& s) {
    settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return report_usage_error(command, pair.error());
    set_up_output(s.common, pair->model);
    if (auto entered = enter_chroot(s.common.sandbox); !entered) {
        return log_failure(entered.error());
    }
    if (auto given = inherited().assign({{"http", &s.http}, {"raw", &s.raw}}); !given) {
        return log_failure(given.error());
    }
    // A write beyond RLIMIT_FSIZE must fail, not end the process (setrlimit(2)).
    os::set_signal_action(SIGXFSZ, SIG_IGN);
    const bool raw_asked = !s.raw.empty();
    if (s.http.empty() && s.raw.empty()) {
        s.http = default_http;
        s.raw = default_raw;
    }
    auto over_http = permissions_at(s.http, s.access, s.common);
    const auto over_raw = permissions_at(s.raw, s.access, s.common);
    if (!over_http) return report_usage_error(command, over_http.error());
    if (!s.discard && !s.common.auth.on() && !over_raw->allows(files::operation::upload, {})) {
        if (raw_asked) return report_usage_error(command, why_no_raw_door(s.raw, s.access));
        s.raw.clear();
    }
    const auto who = open_server_auth(s.common, addresses_of(s));
    if (!who) return report_usage_error(command, who.error());
    std::unique_ptr<files::visitors> known;
    if (*who) known = std::make_unique<files::visitors>(**who);
    const std::string visitors = visitors_of(*over_http, s.common);
    s.allowed.allowed = std::move(*over_http);
    s.allowed.who = known.get();
    s.allowed.hosts = s.access.hosts;
    s.allowed.pages = s.access.pages;
    s.allowed.proxies = trusted_proxies_of(s.common);
    const auto part_time = std::chrono::duration_cast<std::chrono::seconds>(s.keep_partial);
    struct stat found{};
    if (!s.create && os::sys().fstatat(AT_FDCWD, s.directory.c_str(), found, 0) < 0) {
        return log_failure(
            fmt::format("there is no directory {}; name one that exists, or make it with "
                        "--create",
                        in_quotes(s.directory)));
    }
    auto store =
        files::store::open(s.directory, {.sync = !s.no_sync,
                                         .quota = s.quota,
                                         .free_inodes = static_cast<unsigned>(s.free_inodes),
                                         .partial = {.age = part_time, .count = s.max_partial}});
    if (!store) {
        return log_failure(
            fmt::format("cannot store files in {}: {}; give a directory that can be written",
                        in_quotes(s.directory), store.error().message()));
    }
    // Under the fork model no thread may run: the children sweep the parts instead.
    std::optional<files::part_sweeper> sweeper;
    const auto start_sweeper = [&] {
        if (pair->model == model_kind::fork) return;
        sweeper.emplace(store->partials(), pause_for(s.keep_partial));
    };
    const auto report = lines_to_stdout(s.common.quiet);
    if (!s.common.quiet)
        s.allowed.remark = [](std::string_view line) { log(log_level::info, line); };
    files::raw_service raw{s.discard ? nullptr : &*store,
                           {.how = s.allowed.receive,
                            .max_size = s.allowed.max_size,
                            .idle_time = s.idle_time,
                            .pace = {.window = s.body_time, .bytes_a_second = s.allowed.min_rate},
                            .any = s.access.raw_any,
                            .report = report,
                            .remark = s.allowed.remark}};
    s.allowed.report = report;
    s.allowed.head_time = s.head_time;
    s.allowed.idle_time = s.idle_time;
    s.allowed.body_time = s.body_time;
    files::http_service http{*store, s.allowed};
    served what;
    if (!s.http.empty()) {
        what.listeners.push_back({.where = s.http,
                                  .serve = http.service(),
                                  .what = "HTTP",
                                  .flag = "--http",
                                  .visitors = visitors,
                                  .protocol = "http/1.1",
                                  .answer_plain = files::redirect_to_tls});
    }
    if (!s.raw.empty()) {
        what.listeners.push_back(
            {.where = s.raw,
             .serve = raw.service(),
             .what = "streams",
             .flag = "--raw",
             .visitors = "upload files",
             .door = door_for(files::operation::upload, who->get(), "upload files")});
    }
    what.sandbox = sandbox_of_store(*store, s.directory, s.access, s.common.sandbox, start_sweeper);
    what.keep = {store->directory()};
    what.who = who->get();
    what.spread_evenly = true;
    what.on_stage = [&](model::stage now) {
        const auto transfers = http.counted().transfers + raw.counted().transfers;
        if (now == model::stage::draining && transfers > 0)
            log_pending_transfers(transfers, s.common.grace);
    };
    what.count = [&] {
        announce_counters(http.counted());
        announce_counters(raw.counted());
        announce_send_costs();
    };
    if (s.stats) {
        what.after = [&] {
            announce_counters(http.counted());
            announce_send_costs();
        };
    }
    return run_server(command, s.common, *pair, std::move(what));
}

reading<std::uint64_t> read_head_size(std::string_view text) {
    constexpr std::uint64_t least = 256;
    auto size = read_size(text);
    if (size && (*size < least || *size > files::http_options::largest_head)) {
        return std::unexpected{in_quotes(text) + " is no limit on heads; write 256 to 32K"};
    }
    return size;
}

void add_store_limits(CLI::App& command, files_serve_settings& s) {
    auto& l = s.allowed;
    add_value(command, "--max-size", l.max_size, read_size, "SIZE", "Largest file (no limit)");
    add_value(command, "--quota", s.quota, read_size, "SIZE", "All files together (no limit)");
    add_value(command, "--free-inodes", s.free_inodes, count_from{0, 99}, "PERCENT",
              "Of the disk's table of files, which uploads leave free (1)");
    add_value(command, "--keep-partial", s.keep_partial, read_duration, "TIME",
              "How long a part of an upload waits to be resumed (24h)");
    add_value(command, "--max-partial", s.max_partial, count_from{1, most_partial}, "N",
              "Uploads that wait to be resumed; the oldest go first (1000)");
    add_value(command, "--max-listing", l.listing.entries, count_from{1, most_listed}, "N",
              "Names of one directory that a listing shows (100000)");
    add_value(command, "--max-head", l.max_head, read_head_size, "SIZE",
              "Largest head of a request (16K)");
    add_value(command, "--head-time", s.head_time, read_duration, "TIME",
              "How long a head may take (10s)");
    add_value(command, "--idle-time", s.idle_time, read_duration, "TIME",
              "How long a connection may wait between requests, or before a stream (60s)");
    add_value(command, "--body-time", s.body_time, read_duration, "TIME",
              "How long a body may stand still, either way (30s)");
    add_value(command, "--min-rate", l.min_rate, read_size, "SIZE",
              "Slowest body of a request, a second, over each --body-time (256)");
}

}  // namespace

void add_files_serve(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("serve", "A directory, by HTTP and by plain streams");
    auto s = std::make_shared<files_serve_settings>();
    auto& l = s->allowed;
    command->add_option("DIR", s->directory, "Where files are kept")->required()->type_name("");
    add_value(*command, "--http,--listen", s->http, read_address, "ADDRESS",
              fmt::format("Where browsers and curl find it ({})", default_http));
    add_value(*command, "--raw", s->raw, read_address, "ADDRESS",
              fmt::format("Where streams become files ({}); given alone, there is no HTTP, and the "
                          "other way",
                          default_raw));
    add_value(*command, "--strategy", l.receive, one_of{transfer::to_file_names}, "HOW",
              "How files come in: auto, recv-write, recv-write-1m, recv-full, splice, "
              "uring-splice, uring-recv-write (auto)");
    add_value(*command, "--send-strategy", l.send, one_of{transfer::to_socket_names}, "HOW",
              "How files go out: auto, read-send, sendfile, sendfile-cork, splice, mmap-send, "
              "zero-copy, uring-splice, uring-read-send-zc (auto)");
    command->add_flag(
        "--digest-always", l.digest_always,
        "With --no-sync too, answer an upload when its digest is known, however large "
        "it is");
    command->add_flag("--create", s->create, "Make DIR if it does not exist");
    command->add_flag("--discard", s->discard, "Count what is streamed, and drop it");
    command->add_flag("--no-sync", s->no_sync, "Do not wait for the disk");
    command->add_flag("--stats", s->stats, "Print the counters at the end");
    add_store_limits(*command, *s);
    add_file_access_options(*command, s->access);
    add_serve_options_of_many_listeners(*command, s->common, "SLUICE_LISTEN");
    all.on(*command, [command, s] { return serve_files(*command, *s); });
}

}  // namespace sluice::cli
