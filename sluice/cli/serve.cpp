// `sluice serve`: chat, files and compute in one process, on the shards of one event model.
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/chat/server/server.hpp"
#include "sluice/cli/chat/counters.hpp"
#include "sluice/cli/files/http_counters.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/serving.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/compute/server/compute.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/files/server/http_door.hpp"
#include "sluice/files/server/raw.hpp"
#include "sluice/files/server/store.hpp"
#include "sluice/io/ops/poll.hpp"

namespace sluice::cli {
namespace {

struct serve_settings {
    serve_options common;
    std::string chat = "127.0.0.1:5000";
    std::string http = "127.0.0.1:8080";
    std::string raw = "127.0.0.1:5001";
    std::string compute = "127.0.0.1:2999";
    std::string directory = "sluice-files";
};

coro::task<void> count_when_asked(chat::server& chat, io::engine& shard, int bell) {
    for (;;) {
        auto rung = co_await io::poll{shard, bell, io::interest::in};
        if (!rung) co_return;
        std::uint64_t rings = 0;
        static_cast<void>(::read(bell, &rings, sizeof rings));
        chat.count([](const chat::counters& c) { announce_counters(c); });
    }
}

/// A shard of the chat. Who wants its counters from another thread rings `bell`, an eventfd, for
/// they are asked for on the chat's first shard.
coro::task<void> live_and_count(chat::server& chat, io::engine& shard, std::size_t number,
                                coro::context& patience, int bell) {
    coro::scope counting{co_await coro::this_context()};
    const bool counts = number == 0 && shard.attach(bell).has_value();
    if (counts) static_cast<void>(counting.spawn(count_when_asked(chat, shard, bell)));
    auto lived = co_await chat.live_on(shard, number, patience).outcome();
    counting.cancel();
    co_await counting.join();
    if (counts) shard.detach(bell);
    if (!lived) throw std::bad_alloc{};
}

exit_status serve_all(const CLI::App& command, const serve_settings& s) {
    const auto& given = settle_standard_streams();
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return complain(command, pair.error());
    if (pair->model != model_kind::event) {
        return complain(command,
                        fmt::format("--model {} cannot carry a chat beside the rest; leave "
                                    "it out, or serve each by its own command",
                                    to_text(pair->model)));
    }
    set_up_output(s.common, pair->model);
    // A file beyond the limit of the process is an error like others (setrlimit(2), RLIMIT_FSIZE).
    std::signal(SIGXFSZ, SIG_IGN);
    auto place = files::store::open(s.directory, {});
    if (!place) {
        return log_failure(
            fmt::format("cannot store files in {}: {}; name another directory with --files",
                        in_quotes(s.directory), place.error().message()));
    }
    for (const auto& each : place->remarks()) log(log_level::info, each);
    const files::part_sweeper sweeper{place->partials(), std::chrono::minutes{1}};
    const unsigned shards = model::workers_of(s.common.workers);
    auto doors = open_shared_doors(s.chat, shards, "--chat");
    if (!doors) return log_failure(doors.error());
    const auto chat_place = net::address::local_of(doors->front().get());

    transcript_on_stdout shown;
    chat::limits allowed;
    allowed.max_clients = s.common.max_clients;
    allowed.max_per_address = s.common.max_per_address;
    chat::server chat{std::move(*doors),
                      {.allowed = allowed,
                       .shards = shards,
                       .engine = {},
                       .grace = s.common.grace,
                       .seen = s.common.quiet || !given.out ? nullptr : &shown,
                       .troubles = [](std::string_view what) { log(log_level::warn, what); }}};
    files::http_options over_http;
    over_http.report = lines_to_stdout(s.common.quiet);
    if (!s.common.quiet) {
        over_http.remark = [](std::string_view line) { log(log_level::info, line); };
    }
    files::raw_door raw{&*place,
                        {.how = {}, .report = over_http.report, .remark = over_http.remark}};
    files::http_door http{*place, over_http};
    compute::compute compute{compute::make_fib(34), {}};

    const unique_fd bell{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    constexpr std::uint64_t one = 1;
    bool all_here = false;
    return run_server(
        command, s.common, *pair,
        {.doors = {{.where = s.http,
                    .serve = http.service(),
                    .what = "files over HTTP",
                    .flag = "--http"},
                   {.where = s.raw, .serve = raw.service(), .what = "raw files", .flag = "--raw"},
                   {.where = s.compute,
                    .serve = compute.service(),
                    .what = "compute",
                    .flag = "--compute"}},
         .on_ready = [&all_here] { all_here = true; },
         .on_stage =
             [&](model::stage now) {
                 if (!all_here) chat.give_up();
                 const auto going = http.counted().transfers + raw.counted().transfers;
                 if (now == model::stage::draining && going > 0) {
                     say_what_is_waited_for(going, s.common.grace);
                 }
             },
         .count =
             [&] {
                 static_cast<void>(::write(bell.get(), &one, sizeof one));
                 announce_counters(http.counted());
                 announce_counters(raw.counted());
                 announce_counters(compute.counted());
             },
         .lives_here =
             [&](io::engine& shard, std::size_t number, coro::context& patience) {
                 return live_and_count(chat, shard, number, patience, bell.get());
             },
         .spread_evenly = true,
         .also = {{chat_place.value_or(net::address{}), "chat"}}});
}

}  // namespace

void add_serve(commands& all) {
    auto* command = all.root().add_subcommand("serve", "Chat, files and compute in one process");
    auto s = std::make_shared<serve_settings>();
    const auto add_door = [command](const char* name, std::string& where, std::string_view what) {
        add_value(*command, name, where, read_address, "ADDRESS",
                  fmt::format("Where {} ({})", what, where));
    };
    add_door("--chat", s->chat, "people talk");
    add_door("--http", s->http, "browsers and curl find the files");
    add_door("--raw", s->raw, "streams become files");
    add_door("--compute", s->compute, "fib is answered");
    command
        ->add_option("--files", s->directory,
                     "Where files are kept; made if need be (sluice-files)")
        ->type_name("DIR");
    add_serve_options_of_many_doors(*command, s->common, "SLUICE_HTTP");
    all.on(*command, [command, s] { return serve_all(*command, *s); });
}

}  // namespace sluice::cli
