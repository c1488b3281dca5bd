// `sluice serve`: chat, files and compute in one process, on the shards of one event model.
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/chat/server/chat_service.hpp"
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
#include "sluice/compute/server/compute.hpp"
#include "sluice/files/server/http_service.hpp"
#include "sluice/files/server/raw_service.hpp"
#include "sluice/files/server/redirect_to_tls.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/files/server/visitors.hpp"
#include "sluice/os/signal_action.hpp"

namespace sluice::cli {
namespace {

struct serve_settings {
    serve_options common;
    std::string chat = "127.0.0.1:5000";
    std::string http = "127.0.0.1:8080";
    std::string raw = "127.0.0.1:5001";
    std::string compute = "127.0.0.1:2999";
    std::string directory = "sluice-files";
    file_access access;
};

exit_status serve_all(const CLI::App& command, serve_settings& s) {
    const auto& given = settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return report_usage_error(command, pair.error());
    set_up_output(s.common, pair->model);
    if (auto entered = enter_chroot(s.common.sandbox); !entered) {
        return log_failure(entered.error());
    }
    if (auto given = inherited().assign(
            {{"chat", &s.chat}, {"http", &s.http}, {"raw", &s.raw}, {"compute", &s.compute}});
        !given) {
        return log_failure(given.error());
    }
    if (pair->model != model_kind::event) {
        return report_usage_error(
            command, fmt::format("--model {} cannot carry a chat beside the rest; leave "
                                 "it out, or serve each by its own command",
                                 to_text(pair->model)));
    }
    const auto over_http_allowed = permissions_at(s.http, s.access, s.common);
    const auto over_raw_allowed = permissions_at(s.raw, s.access, s.common);
    if (!over_http_allowed) return report_usage_error(command, over_http_allowed.error());
    const bool takes_streams =
        s.common.auth.on() || over_raw_allowed->allows(files::operation::upload, {});
    // One that was not asked for is left out, as in `files serve`.
    if (!takes_streams && command.get_option("--raw")->count() > 0) {
        return report_usage_error(command, why_no_raw_door(s.raw, s.access));
    }
    const auto who = open_server_auth(s.common, {s.http, s.raw, s.compute, s.chat});
    if (!who) return report_usage_error(command, who.error());
    std::unique_ptr<files::visitors> visitors;
    std::unique_ptr<chat::registry> accounts;
    if (*who) {
        visitors = std::make_unique<files::visitors>(**who);
        accounts = std::make_unique<chat::registry>(
            door_with_right(who->get(), "chat", "talk in the chat"));
    }
    // A write beyond RLIMIT_FSIZE must fail, not end the process (setrlimit(2)).
    os::set_signal_action(SIGXFSZ, SIG_IGN);
    auto store = files::store::open(s.directory, {});
    if (!store) {
        return log_failure(
            fmt::format("cannot store files in {}: {}; name another directory with --files",
                        in_quotes(s.directory), store.error().message()));
    }
    std::optional<files::part_sweeper> sweeper;
    transcript_on_stdout shown;
    chat::limits allowed;
    allowed.max_clients = s.common.max_clients;
    chat::chat_service chat{{.allowed = allowed,
                             .shards = model::workers_of(s.common.workers),
                             .seen = s.common.quiet || !given.out ? nullptr : &shown,
                             .accounts = accounts.get()}};
    files::http_options over_http;
    over_http.allowed = *over_http_allowed;
    over_http.who = visitors.get();
    over_http.hosts = s.access.hosts;
    over_http.pages = s.access.pages;
    over_http.proxies = trusted_proxies_of(s.common);
    over_http.report = lines_to_stdout(s.common.quiet);
    if (!s.common.quiet) {
        over_http.remark = [](std::string_view line) { log(log_level::info, line); };
    }
    files::raw_service raw{&*store,
                           {.how = {},
                            .any = s.access.raw_any,
                            .report = over_http.report,
                            .remark = over_http.remark}};
    files::http_service http{*store, over_http};
    compute::compute_options questions;
    if (!s.common.quiet) {
        questions.report = [](std::string_view what) { log(log_level::warn, what); };
    }
    compute::compute_service compute{compute::make_fib(34), questions};

    std::vector<served_at> listeners;
    listeners.push_back({.where = s.http,
                         .serve = http.service(),
                         .what = "files over HTTP",
                         .flag = "--http",
                         .visitors = visitors_of(*over_http_allowed, s.common),
                         .protocol = "http/1.1",
                         .answer_plain = files::redirect_to_tls});
    if (takes_streams) {
        listeners.push_back(
            {.where = s.raw,
             .serve = raw.service(),
             .what = "raw files",
             .flag = "--raw",
             .visitors = "upload files",
             .door = door_for(files::operation::upload, who->get(), "upload files")});
    }
    listeners.push_back({.where = s.compute,
                         .serve = compute.service(),
                         .what = "compute",
                         .flag = "--compute",
                         .visitors = "have this machine compute",
                         .needs_open = true,
                         .door = door_with_right(who->get(), "ask", "have this machine compute")});
    listeners.push_back({.where = s.chat,
                         .state = chat.state(),
                         .what = "chat",
                         .flag = "--chat",
                         .visitors = "talk in the chat",
                         .needs_open = true});

    return run_server(command, s.common, *pair,
                      {.listeners = std::move(listeners),
                       .on_stage =
                           [&](model::stage now) {
                               const auto transfers =
                                   http.counted().transfers + raw.counted().transfers;
                               if (now == model::stage::draining && transfers > 0) {
                                   log_pending_transfers(transfers, s.common.grace);
                               }
                           },
                       .count =
                           [&] {
                               announce_counters(chat.counted());
                               announce_counters(http.counted());
                               announce_counters(raw.counted());
                               announce_send_costs();
                               announce_counters(compute.counted());
                           },
                       .who = who->get(),
                       .sandbox = sandbox_of_store(
                           *store, s.directory, s.access, s.common.sandbox,
                           [&] { sweeper.emplace(store->partials(), std::chrono::minutes{1}); }),
                       .spread_evenly = true});
}

}  // namespace

void add_serve(commands& all) {
    auto* command = all.root().add_subcommand("serve", "Chat, files and compute in one process");
    auto s = std::make_shared<serve_settings>();
    const auto add_endpoint = [command](const char* name, std::string& where,
                                        std::string_view what) {
        add_value(*command, name, where, read_address, "ADDRESS",
                  fmt::format("Where {} ({})", what, where));
    };
    add_endpoint("--chat", s->chat, "people talk");
    add_endpoint("--http", s->http, "browsers and curl find the files");
    add_endpoint("--raw", s->raw, "streams become files");
    add_endpoint("--compute", s->compute, "fib is answered");
    command
        ->add_option("--files", s->directory,
                     "Where files are kept; made if need be (sluice-files)")
        ->type_name("DIR");
    add_file_access_options(*command, s->access);
    add_serve_options_of_many_listeners(*command, s->common, "SLUICE_HTTP");
    all.on(*command, [command, s] { return serve_all(*command, *s); });
}

}  // namespace sluice::cli
