// `sluice compute serve`: a request-reply server under any model.
#include "sluice/compute/server/compute.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/compute/ask.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/serving.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/compute/server/process_guard.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/model/model.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

enum class work_kind : std::uint8_t { fib, echo, sleep };

struct compute_settings {
    serve_options common;
    compute::compute_options compute;
    work_kind work = work_kind::fib;
    unsigned limit = 34;
    std::chrono::milliseconds deadline{0};
    std::chrono::milliseconds idle_time{std::chrono::minutes{5}};
    std::chrono::milliseconds stall_time{std::chrono::seconds{30}};
    bool runs_program = false;
    bool fresh = false;
    std::vector<std::string> program;
};

constexpr auto longest_sleep = 1h;

std::unique_ptr<compute::work> make_work(const compute_settings& s,
                                         compute::process_pool* programs) {
    if (programs != nullptr) return compute::make_programs(*programs);
    switch (s.work) {
        case work_kind::fib: return compute::make_fib(s.limit);
        case work_kind::echo: return compute::make_echo();
        case work_kind::sleep: return compute::make_sleep(longest_sleep);
    }
    return nullptr;
}

double in_seconds(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

void report(const compute::tally& t) {
    log(log_level::info,
        fmt::format(
            "answered {} at once and {} after work; {} busy, {} late, {} failed, {} too "
            "long, {} abandoned by their clients; closed {} idle and {} stalled connections",
            grouped(t.at_once), grouped(t.worked_on), grouped(t.busy), grouped(t.late),
            grouped(t.failed), grouped(t.too_long), grouped(t.abandoned), grouped(t.idle),
            grouped(t.stalled)));
    if (t.worked_ns == 0) return;
    log(log_level::info,
        fmt::format("queued for {:.3f} s altogether, {:.3f} s at most; worked for {:.3f} s",
                    in_seconds(t.queued_ns), in_seconds(t.longest_queued_ns),
                    in_seconds(t.worked_ns)));
}

void report(const compute::process_counters& c) {
    log(log_level::info,
        fmt::format("programs: {} started, {} ended, {} killed; {} lines that "
                    "answered no question thrown away",
                    grouped(c.started), grouped(c.ended), grouped(c.killed), grouped(c.unasked)));
}

std::expected<std::unique_ptr<compute::process_pool>, std::string> make_programs(
    const compute_settings& s, model_kind model, const compute::process_guard* guard) {
    compute::process_pool_options o;
    o.command = s.program;
    // A process that serves one client asks one thing at a time.
    o.count = model == model_kind::fork ? 1 : model::workers_of(s.common.workers);
    o.queue = s.compute.queue;
    if (s.deadline > 0ms) o.deadline = s.deadline;
    o.fresh = s.fresh;
    o.holds_thread = model == model_kind::sync || model == model_kind::pool;
    o.guard = guard;
    o.heard = [](std::string_view line) { log(log_level::info, line); };
    o.trouble = [](std::string_view what) { log(log_level::warn, what); };
    return compute::process_pool::make(std::move(o));
}

/// What a program of the fork model, which has one client, is told of it (RFC 3875).
std::vector<std::string> describe_client(model::guest& client) {
    const auto peer = client.peer().peer();
    if (!peer || peer->family() == AF_UNSPEC) return {};
    auto host = peer->to_string();
    host.resize(host.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    return {"REMOTE_ADDR=" + host, "REMOTE_PORT=" + std::to_string(peer->port())};
}

/// Lets programs finish what they were asked while the server drains, and tells them to end half a
/// second before the grace is over: then they are killed.
void stop_programs(compute::process_pool& programs, io::duration grace) {
    const auto now = io::clock::now();
    programs.stop(io::after(now, std::max<io::duration>(grace - 500ms, grace / 2)),
                  io::after(now, grace));
}

/// Stops programs as soon as no client is left, and waits until they have ended.
void end_programs(compute::process_pool& programs, io::duration grace) {
    const auto now = io::clock::now();
    programs.stop(now, io::after(now, grace));
    programs.join();
}

/// One client of the fork model, and its program, in a process that ends without destructors.
coro::task<void> serve_with_program(model::guest& client, const model::service& serve,
                                    compute::process_pool& programs, io::duration grace) {
    struct on_drain : coro::cancel_hook {
        on_drain(compute::process_pool& p, io::duration g)
            : cancel_hook{[](cancel_hook& h) noexcept {
                  auto& self = static_cast<on_drain&>(h);
                  stop_programs(self.programs, self.grace);
              }},
              programs{p},
              grace{g} {}
        on_drain(const on_drain&) = delete;
        on_drain& operator=(const on_drain&) = delete;
        ~on_drain() { unlink(); }
        compute::process_pool& programs;
        io::duration grace;
    } drain{programs, grace};
    if (!client.patience().cancelled()) client.patience().watch(drain);
    programs.set_environment(describe_client(client));
    auto served = co_await serve(client).outcome();
    if (!served) client.peer().reset_on_close();
    co_await client.peer().close();
    end_programs(programs, grace);
    if (!served) throw std::bad_alloc{};
}

/// What is wrong with the words that are left over.
std::optional<std::string> why_no_program(CLI::App& command, const compute_settings& s) {
    if (!s.program.empty() && (!s.runs_program || s.program.front().starts_with('-'))) {
        return explain_unknown(command, s.program.front());
    }
    if (s.runs_program && s.program.empty()) {
        return "--exec needs a program: its name, and the words it is to be given";
    }
    return std::nullopt;
}

exit_status serve_compute(CLI::App& command, compute_settings& s) {
    settle_standard_streams();
    s.program = command.remaining();
    if (auto mistake = why_no_program(command, s)) return complain(command, *mistake);
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return complain(command, pair.error());
    set_up_output(s.common, pair->model);
    s.compute.workers = s.common.workers;
    if (s.deadline > 0ms) s.compute.deadline = s.deadline;
    s.compute.idle_time = s.idle_time;
    s.compute.stall_time = s.stall_time;
    std::unique_ptr<compute::process_guard> guard;
    std::unique_ptr<compute::process_pool> programs;
    if (!s.program.empty()) {
        if (auto started = compute::process_guard::start()) guard = std::move(*started);
        auto made = make_programs(s, pair->model, guard.get());
        if (!made) return complain(command, made.error());
        programs = std::move(*made);
        if (pair->model != model_kind::fork) programs->start();
    }
    compute::compute answers{make_work(s, programs.get()), s.compute};
    auto serve_one = answers.service();
    if (programs && pair->model == model_kind::fork) {
        serve_one = [&programs, &s, inner = answers.service()](model::guest& client) {
            return serve_with_program(client, inner, *programs, s.common.grace);
        };
    }
    const auto on_stage = [&programs, &s](model::stage now) {
        if (!programs) return;
        stop_programs(*programs, now == model::stage::ending ? io::duration{} : s.common.grace);
    };
    const auto after = [&answers, &programs, &s] {
        if (programs) end_programs(*programs, s.common.grace);
        if (s.common.quiet) return;
        report(answers.counted());
        if (programs) report(programs->counted());
    };
    const std::vector<int> keep = guard ? std::vector<int>{guard->fd()} : std::vector<int>{};
    return run_server(command, s.common, *pair,
                      {.doors = {{.where = s.common.listen, .serve = std::move(serve_one)}},
                       .on_stage = on_stage,
                       .after = after,
                       .count =
                           [&answers, &programs] {
                               announce_counters(answers.counted());
                               if (programs) announce_counters(programs->counted());
                           },
                       .keep = keep});
}

reading<std::chrono::milliseconds> read_milliseconds(std::string_view text) {
    constexpr std::uint64_t most = 86'400'000;
    if (auto count = count_from{1, most}(text)) return std::chrono::milliseconds{*count};
    return read_duration(text);
}

void add_compute_serve(commands& all, CLI::App& compute) {
    constexpr std::array<std::pair<std::string_view, work_kind>, 3> works{
        {{"fib", work_kind::fib}, {"echo", work_kind::echo}, {"sleep", work_kind::sleep}}};
    constexpr std::uint64_t most_queued = 1'000'000;
    constexpr std::uint64_t largest_fib = 92;
    auto* serve_command = compute.add_subcommand("serve", "Answer whoever asks");
    auto s = std::make_shared<compute_settings>();
    s->common.listen = "127.0.0.1:2999";
    add_value(*serve_command, "--work", s->work, one_of{works}, "WHAT", "fib, echo, sleep (fib)");
    add_framing_option(*serve_command, s->compute.framing);
    add_max_line_option(*serve_command, s->compute.max_line, "question");
    add_value(*serve_command, "--queue", s->compute.queue, count_from{0, most_queued}, "N",
              fmt::format("Questions that may wait for a worker of the event model; the next is "
                          "'busy' ({})",
                          s->compute.queue));
    add_value(
        *serve_command, "--deadline", s->deadline, read_milliseconds, "MS",
        "A question that waited longer is 'late' and not computed; with --exec, one that is not "
        "answered by then (none; 30s with --exec)");
    add_value(*serve_command, "--idle-time", s->idle_time, read_duration, "TIME",
              "A connection on which nothing is asked for so long is closed (5m)");
    add_value(*serve_command, "--stall-time", s->stall_time, read_duration, "TIME",
              "For the rest of a question that has begun, and for a client to take its answers "
              "(30s)");
    add_value(*serve_command, "--limit", s->limit, count_from{0, largest_fib}, "N",
              fmt::format("Largest number for fib ({})", s->limit));
    serve_command->add_flag("--exec", s->runs_program,
                            "Answer with a program that answers lines with lines: PROGRAM and its "
                            "own words come last");
    serve_command->add_flag("--fresh", s->fresh,
                            "A new process of --exec's program for each question");
    // From the first word that is no flag of ours, all belongs to the program.
    serve_command->prefix_command();
    add_serve_options(*serve_command, s->common);
    all.on(*serve_command, [serve_command, s] { return serve_compute(*serve_command, *s); });
}

}  // namespace

void add_compute(commands& all) {
    auto* compute =
        all.root().add_subcommand("compute", "Answer questions, or ask them, under any model");
    compute->require_subcommand(1);
    add_compute_serve(all, *compute);
    add_compute_ask(all, *compute);
}

}  // namespace sluice::cli
