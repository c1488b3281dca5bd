// Implements the files of a server: their options, the store, and its services over HTTP and plain
// streams; and `sluice files serve`.
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
#include <vector>

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/files/access.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/service_counters.hpp"
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
constexpr std::string_view default_directory = "sluice-files";
constexpr std::uint64_t most_partial = 1'000'000;
constexpr std::size_t most_listed = 10'000'000;

struct files_settings {
    file_access access;
    std::string directory;
    std::string http;  // empty: not given
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

reading<std::uint64_t> read_head_size(std::string_view text) {
    constexpr std::uint64_t least = 256;
    auto size = read_size(text);
    if (size && (*size < least || *size > files::http_options::largest_head)) {
        return std::unexpected{in_quotes(text) + " is no limit on heads; write 256 to 32K"};
    }
    return size;
}

void add_store_limits(CLI::App& command, files_settings& s, const part_name& name) {
    auto& l = s.allowed;
    const auto flag = [&name](std::string_view option) { return name.flag(option); };
    add_value(command, flag("max-size"), l.max_size, read_size, "SIZE", "Largest file (no limit)");
    add_value(command, flag("quota"), s.quota, read_size, "SIZE", "All files together (no limit)");
    add_value(command, flag("free-inodes"), s.free_inodes, count_from{0, 99}, "PERCENT",
              "Of the disk's table of files, which uploads leave free (1)");
    add_value(command, flag("keep-partial"), s.keep_partial, read_duration, "TIME",
              "How long a part of an upload waits to be resumed (24h)");
    add_value(command, flag("max-partial"), s.max_partial, count_from{1, most_partial}, "N",
              "Uploads that wait to be resumed; the oldest go first (1000)");
    add_value(command, flag("max-listing"), l.listing.entries, count_from{1, most_listed}, "N",
              "Names of one directory that a listing shows (100000)");
    add_value(command, flag("max-head"), l.max_head, read_head_size, "SIZE",
              "Largest head of a request (16K)");
    add_value(command, flag("head-time"), s.head_time, read_duration, "TIME",
              "How long a head may take (10s)");
    add_value(command, flag("idle-time"), s.idle_time, read_duration, "TIME",
              "How long a connection may wait between requests, or before a stream (60s)");
    add_value(command, flag("body-time"), s.body_time, read_duration, "TIME",
              "How long a body may stand still, either way (30s)");
    add_value(command, flag("min-rate"), l.min_rate, read_size, "SIZE",
              "Slowest body of a request, a second, over each --body-time (256)");
}

class files_part final : public part {
 public:
    explicit files_part(part_name called) : part{std::move(called)} {
        if (name().is_alone()) return;
        settings_.create = true;
        if (!name().is_further()) settings_.directory = default_directory;
    }

    void add_options(CLI::App& command) override;
    [[nodiscard]] bool is_off() const override {
        const auto& s = settings_;
        return !name().is_alone() && (s.directory == off || (s.http == off && s.raw == off));
    }
    [[nodiscard]] std::optional<std::string> why_not(const serve_options& common,
                                                     const pairing& pair) const override;
    [[nodiscard]] std::vector<door_address> doors(serve_options& common) override;
    [[nodiscard]] std::expected<std::vector<std::string>, std::string> choose_addresses(
        const serve_options& common) override;
    [[nodiscard]] std::expected<served, refusal> open(const part_context& context) override;
    [[nodiscard]] std::vector<std::string_view> take_over(const part& fresh,
                                                          const serve_options& common) override;

 private:
    void add_addresses(CLI::App& command);
    void choose_doors();
    [[nodiscard]] std::expected<void, refusal> open_store();
    void make_services(const part_context& context);
    [[nodiscard]] std::vector<served_at> listeners(const part_context& context);

    files_settings settings_;
    std::string http_at_;  // empty: not served
    std::string raw_at_;
    files::permissions allowed_;
    std::unique_ptr<files::visitors> known_;
    std::optional<files::store> store_;
    std::optional<files::part_sweeper> sweeper_;
    std::unique_ptr<files::raw_service> raw_;
    std::unique_ptr<files::http_service> http_;
};

void files_part::add_addresses(CLI::App& command) {
    auto& s = settings_;
    if (name().is_alone()) {
        command.add_option("DIR", s.directory, "Where files are kept")->required()->type_name("");
        add_value(command, "--http,--listen", s.http, read_address, "ADDRESS",
                  fmt::format("Where browsers and curl find it ({})", default_http));
        add_value(command, "--raw", s.raw, read_address, "ADDRESS",
                  fmt::format("Where streams become files ({}); given alone, there is no HTTP, and "
                              "the other way",
                              default_raw));
        return;
    }
    const auto usual = [this](std::string_view value) {
        return name().is_further() ? std::string{} : fmt::format(" ({})", value);
    };
    command
        .add_option(name().flag("dir", "files"), s.directory,
                    fmt::format("Where files are kept, or off; made if need be{}",
                                usual(default_directory)))
        ->type_name("DIR");
    add_value(command, name().flag("http", "http"), s.http, read_address_or_off, "ADDRESS",
              fmt::format("Where browsers and curl find the files, or off{}", usual(default_http)));
    add_value(command, name().flag("raw", "raw"), s.raw, read_address_or_off, "ADDRESS",
              fmt::format("Where streams become files, or off{}", usual(default_raw)));
}

void files_part::add_options(CLI::App& command) {
    auto& s = settings_;
    auto& l = s.allowed;
    const auto flag = [this](std::string_view option) { return name().flag(option); };
    add_addresses(command);
    add_value(command, flag("strategy"), l.receive, one_of{transfer::to_file_names}, "HOW",
              "How files come in: auto, recv-write, recv-write-1m, recv-full, splice, "
              "uring-splice, uring-recv-write (auto)");
    add_value(command, flag("send-strategy"), l.send, one_of{transfer::to_socket_names}, "HOW",
              "How files go out: auto, read-send, sendfile, sendfile-cork, splice, mmap-send, "
              "zero-copy, uring-splice, uring-read-send-zc (auto)");
    command.add_flag(flag("digest-always"), l.digest_always,
                     "With --no-sync too, answer an upload when its digest is known, however large "
                     "it is");
    command
        .add_flag(flag("create"), s.create,
                  name().is_alone() ? "Make DIR if it does not exist"
                                    : "Make the directory if it does not exist (true)")
        ->default_function([&s] { return std::string{s.create ? "true" : "false"}; });
    command.add_flag(flag("discard"), s.discard, "Count what is streamed, and drop it");
    command.add_flag(flag("no-sync"), s.no_sync, "Do not wait for the disk");
    command.add_flag(flag("stats"), s.stats, "Print the counters at the end");
    add_store_limits(command, s, name());
    add_file_access_options(command, s.access, name());
}

std::optional<std::string> files_part::why_not(const serve_options& /*common*/,
                                               const pairing& /*pair*/) const {
    const auto& s = settings_;
    if (!name().is_further()) return std::nullopt;
    if (s.directory.empty()) return why_incomplete(name(), "dir", "DIR");
    const auto is_given = [this](std::string_view option) {
        return inherited().has(door_of(name().flag(option)));
    };
    if (s.http.empty() && s.raw.empty() && !is_given("http") && !is_given("raw")) {
        return why_no_address(name(), "http");
    }
    return std::nullopt;
}

/// Alone, the doors that are asked for, or both; beside others, each unless it is off; further
/// ones, those that are asked for.
void files_part::choose_doors() {
    const auto& s = settings_;
    const bool usual = name().is_alone() ? s.http.empty() && s.raw.empty() : !name().is_further();
    const auto choose = [usual](const std::string& asked, std::string_view by_default) {
        if (asked == off) return std::string{};
        return asked.empty() && usual ? std::string{by_default} : asked;
    };
    http_at_ = choose(s.http, default_http);
    raw_at_ = choose(s.raw, default_raw);
}

std::vector<door_address> files_part::doors(serve_options& /*common*/) {
    std::vector<door_address> all{
        {std::string{door_of(name().flag_said("http", "http"))}, &settings_.http},
        {std::string{door_of(name().flag_said("raw", "raw"))}, &settings_.raw}};
    std::erase_if(all, [](const door_address& each) { return *each.where == off; });
    return all;
}

std::expected<std::vector<std::string>, std::string> files_part::choose_addresses(
    const serve_options& common) {
    const auto& s = settings_;
    choose_doors();
    auto over_http = permissions_at(http_at_, s.access, common);
    const auto over_raw = permissions_at(raw_at_, s.access, common);
    if (!over_http) return std::unexpected{std::move(over_http.error())};
    allowed_ = std::move(*over_http);
    if (!s.discard && !common.auth.on() && !over_raw->allows(files::operation::upload, {})) {
        // One that was not asked for is left out.
        if (!s.raw.empty() && s.raw != off) {
            return std::unexpected{why_no_raw_door(raw_at_, s.access, name())};
        }
        raw_at_.clear();
    }
    std::vector<std::string> all;
    for (const auto* each : {&http_at_, &raw_at_}) {
        if (!each->empty()) all.push_back(*each);
    }
    return all;
}

std::expected<void, refusal> files_part::open_store() {
    const auto& s = settings_;
    const auto failed = [](std::string why) {
        return std::unexpected{refusal{exit_status::failed, std::move(why)}};
    };
    struct stat found{};
    if (!s.create && os::sys().fstatat(AT_FDCWD, s.directory.c_str(), found, 0) < 0) {
        return failed(
            fmt::format("there is no directory {}; name one that exists, or make it with "
                        "{}",
                        in_quotes(s.directory), name().flag("create")));
    }
    const auto part_time = std::chrono::duration_cast<std::chrono::seconds>(s.keep_partial);
    auto store =
        files::store::open(s.directory, {.sync = !s.no_sync,
                                         .quota = s.quota,
                                         .free_inodes = static_cast<unsigned>(s.free_inodes),
                                         .partial = {.age = part_time, .count = s.max_partial}});
    if (!store) {
        return failed(fmt::format(
            "cannot store files in {}: {}; {}", in_quotes(s.directory), store.error().message(),
            name().is_alone() ? "give a directory that can be written"
                              : "name another directory with " + name().flag_said("dir", "files")));
    }
    store_.emplace(std::move(*store));
    return {};
}

void files_part::make_services(const part_context& context) {
    const auto& s = settings_;
    auto over_http = s.allowed;
    over_http.allowed = allowed_;
    over_http.who = known_.get();
    over_http.hosts = s.access.hosts;
    over_http.pages = s.access.pages;
    over_http.proxies = trusted_proxies_of(context.common);
    over_http.head_time = s.head_time;
    over_http.idle_time = s.idle_time;
    over_http.body_time = s.body_time;
    over_http.report = lines_to_stdout(context.common.quiet);
    over_http.access = access_log_of(context.common.access, context.model);
    over_http.detail = [](std::string_view line) { log(log_level::debug, line); };
    if (!context.common.quiet) {
        over_http.remark = [](std::string_view line) { log(log_level::info, line); };
    }
    raw_ = std::make_unique<files::raw_service>(s.discard ? nullptr : &*store_,
                                                files::raw_options{.how = over_http.receive,
                                                                   .max_size = over_http.max_size,
                                                                   .idle_time = s.idle_time,
                                                                   .min_rate = over_http.min_rate,
                                                                   .body_time = s.body_time,
                                                                   .any = s.access.raw_any,
                                                                   .report = over_http.report,
                                                                   .remark = over_http.remark,
                                                                   .access = over_http.access});
    http_ = std::make_unique<files::http_service>(*store_, std::move(over_http));
}

std::vector<served_at> files_part::listeners(const part_context& context) {
    std::vector<served_at> all;
    const auto title = name().title("files");
    if (!http_at_.empty()) {
        all.push_back({.where = http_at_,
                       .serve = http_->service(),
                       .what = name().is_alone() ? "HTTP" : title + " over HTTP",
                       .flag = name().flag_said("http", "http"),
                       .visitors = visitors_of(allowed_, context.common),
                       .protocol = "http/1.1",
                       .answer_plain = files::redirect_to_tls});
    }
    if (!raw_at_.empty()) {
        all.push_back({.where = raw_at_,
                       .serve = raw_->service(),
                       .what = name().is_alone() ? "streams" : "raw " + title,
                       .flag = name().flag_said("raw", "raw"),
                       .visitors = "upload files",
                       .door = door_for(files::operation::upload, context.who, "upload files"),
                       .event = model::access_kind::upload});
    }
    return all;
}

std::expected<served, refusal> files_part::open(const part_context& context) {
    const auto& s = settings_;
    const auto& common = context.common;
    // A write beyond RLIMIT_FSIZE must fail, not end the process (setrlimit(2)).
    os::set_signal_action(SIGXFSZ, SIG_IGN);
    if (context.who != nullptr) known_ = std::make_unique<files::visitors>(*context.who);
    if (auto opened = open_store(); !opened) return std::unexpected{std::move(opened.error())};
    make_services(context);
    // Under the fork model no thread may run: the children sweep the parts instead.
    const auto start_sweeper = [this, model = context.model] {
        if (model == model_kind::fork) return;
        sweeper_.emplace(store_->partials(), pause_for(settings_.keep_partial));
    };
    served what{
        .listeners = listeners(context),
        .on_stage =
            [this, &common](model::stage now) {
                const auto transfers = http_->counted().transfers + raw_->counted().transfers;
                if (now == model::stage::draining && transfers > 0) {
                    log_pending_transfers(transfers, common.grace);
                }
            },
        .count =
            [this](metrics::collection& to) {
                collect_as_own(to, [this](metrics::collection& own) {
                    collect(own, http_->counted());
                    collect(own, raw_->counted());
                });
            },
        .sandbox = sandbox_of_store(*store_, s.directory, s.access, common.sandbox, start_sweeper),
        .keep = {store_->directory()},
        .spread_evenly = true};
    if (s.stats) {
        what.after = announcing([this](metrics::collection& to) {
            collect_as_own(to,
                           [this](metrics::collection& own) { collect(own, http_->counted()); });
            collect_send_costs(to);
        });
    }
    return what;
}

std::vector<std::string_view> files_part::take_over(const part& fresh,
                                                    const serve_options& /*common*/) {
    const auto& now = static_cast<const files_part&>(fresh).settings_;
    auto& http = http_->live();
    auto& raw = raw_->live();
    http.head_time = now.head_time;
    http.idle_time = raw.idle_time = now.idle_time;
    http.body_time = raw.body_time = now.body_time;
    http.max_size = raw.max_size = now.allowed.max_size;
    http.min_rate = raw.min_rate = now.allowed.min_rate;
    std::vector<std::string_view> names{"max-size", "head-time", "idle-time", "body-time",
                                        "min-rate"};
    if (store_->set_quota(now.quota)) names.emplace_back("quota");
    return names;
}

}  // namespace

std::unique_ptr<part> make_files_part(part_name name) {
    return std::make_unique<files_part>(std::move(name));
}

void add_files_serve(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("serve", "A directory, by HTTP and by plain streams");
    auto server = std::make_shared<server_command>();
    server->add(*command, make_files_part({}));
    add_serve_options_of_many_listeners(*command, server->common, "SLUICE_LISTEN");
    all.on(*command, [&all, server] { return server->run(all); }, server);
}

}  // namespace sluice::cli
