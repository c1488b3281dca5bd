// Implements `sluice files offer`.
#include "sluice/files/server/offer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/files/access.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

struct offer_settings {
    server_command server;
    std::string file;
    transfer::to_socket how = transfer::to_socket::automatic;
    std::uint64_t count = 0;
    std::chrono::milliseconds idle_time{std::chrono::seconds{10}};
    std::chrono::milliseconds body_time{std::chrono::seconds{30}};
    std::uint64_t min_rate = files::default_upload_pace.bytes_a_second;
};

exit_status offer_file(const commands& all, offer_settings& s) {
    const auto& command = all.command();
    auto& common = s.server.common;
    settle_standard_streams();
    const auto pair = pair_up(common.engine, common.model);
    if (!pair) return report_usage_error(command, pair.error());
    const auto who = prepare_door(command, common, pair->model);
    if (!who) return who.error();
    // --count stops the first process, whichever process serves the last client.
    const auto server_pid = os::sys().getpid();
    files::offer offer{s.file,
                       {.how = s.how,
                        .count = s.count,
                        .pace = {.window = s.body_time, .bytes_a_second = s.min_rate},
                        .idle_time = s.idle_time,
                        .report = lines_to_stdout(common.quiet),
                        .access = access_log_of(common.access, pair->model),
                        .done = [server_pid] { os::sys().kill(server_pid, SIGTERM); }}};
    if (const auto size = offer.size(); !size) {
        log(log_level::error, fmt::format("cannot offer {}: {}; give a file that can be read",
                                          in_quotes(s.file), size.error().message()));
        return exit_status::failed;
    }
    // It opens the file for each client; --count has one of its processes end the server.
    sandboxed_service sandbox{.keeps_files = true, .has_children = true};
    add_reloaded(sandbox.paths, s.file);
    return run_server(
        all, s.server, *pair,
        {.listeners = {{.where = common.listen,
                        .serve = offer.service(),
                        .door = door_for(files::operation::read, who->get(), "have the file"),
                        .event = model::access_kind::offer}},
         .count =
             [&offer](metrics::collection& to) {
                 collect(to, offer.counted());
                 collect_send_costs(to);
             },
         .who = who->get(),
         .sandbox = std::move(sandbox),
         .spread_evenly = true});
}

}  // namespace

void add_files_offer(commands& all, CLI::App& files) {
    auto* command = files.add_subcommand("offer", "Give one file to whoever connects");
    auto s = std::make_shared<offer_settings>();
    s->server.common.listen = "127.0.0.1:8082";
    command->add_option("FILE", s->file, "What to give")->required()->type_name("");
    add_value(
        *command, "--strategy", s->how, one_of{transfer::to_socket_names}, "HOW",
        "auto, read-send, sendfile, sendfile-cork, splice, mmap-send, zero-copy, uring-splice, "
        "uring-read-send-zc (auto)");
    constexpr std::uint64_t many = 1'000'000'000;
    add_value(*command, "--count", s->count, count_from{1, many}, "N",
              "End when so many have got it (never)");
    add_value(*command, "--body-time", s->body_time, read_duration, "TIME",
              "How long a client may take nothing (30s)");
    add_value(*command, "--min-rate", s->min_rate, read_size, "SIZE",
              "Slowest download, a second, over each --body-time (256)");
    add_value(*command, "--idle-time", s->idle_time, read_duration, "TIME",
              "How long a client may take to close once it has everything (10s)");
    add_serve_options(*command, s->server.common);
    all.on(
        *command, [&all, s] { return offer_file(all, *s); },
        std::shared_ptr<server_command>{s, &s->server});
}

}  // namespace sluice::cli
