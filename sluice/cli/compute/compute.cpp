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

#include "sluice/cli/inherited_sockets.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/compute/server/process_guard.hpp"
#include "sluice/compute/server/process_pool.hpp"
#include "sluice/model/model.hpp"
#include "sluice/os/kernel.hpp"
#include "sluice/sandbox/sandbox.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

enum class handler_kind : std::uint8_t { fib, echo, sleep };

struct compute_settings {
    serve_options common;
    compute::compute_options compute;
    handler_kind handler = handler_kind::fib;
    unsigned limit = 34;
    std::chrono::milliseconds deadline{0};
    std::chrono::milliseconds idle_time{std::chrono::minutes{5}};
    std::chrono::milliseconds stall_time{std::chrono::seconds{30}};
    bool runs_program = false;
    bool fresh = false;
    std::optional<sandbox::user> program_user;
    std::uint64_t program_memory = 0;
    std::chrono::milliseconds program_time{0};
    std::vector<std::string> program;
};

constexpr auto longest_sleep = 1h;

std::unique_ptr<compute::handler> make_handler(const compute_settings& s,
                                               compute::process_pool* pool) {
    if (pool != nullptr) return compute::make_programs(*pool);
    switch (s.handler) {
        case handler_kind::fib: return compute::make_fib(s.limit);
        case handler_kind::echo: return compute::make_echo();
        case handler_kind::sleep: return compute::make_sleep(longest_sleep);
    }
    return nullptr;
}

double in_seconds(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

void report(const compute::compute_counters& t) {
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

/// Who runs the programs; none: who runs the server.
std::optional<sandbox::user> user_of_programs(const compute_settings& s) {
    return s.program_user ? s.program_user : s.common.sandbox.as;
}

/// Confines the guard of the programs, which signals processes of their user.
void confine_guard(const compute_settings& s) {
    const sandbox::policy p{.how = s.common.sandbox.how(),
                            .as = user_of_programs(s),
                            .reachable = {.signals = true},
                            .needs = {.children = true}};
    // It works without; what is missing the server says of itself.
    static_cast<void>(sandbox::confine(p));
}

std::expected<std::unique_ptr<compute::process_pool>, std::string> make_pool(
    const compute_settings& s, model_kind model, const compute::process_guard* guard) {
    compute::process_pool_options o;
    o.command = s.program;
    // A forked process serves one client, which asks one question at a time.
    o.count = model == model_kind::fork ? 1 : model::workers_of(s.common.workers);
    o.queue = s.compute.queue;
    if (s.deadline > 0ms) o.deadline = s.deadline;
    o.fresh = s.fresh;
    o.memory = s.program_memory;
    if (s.program_time > 0ms) o.longest = s.program_time;
    o.confine = [&s] {
        return sandbox::confine_programs(s.common.sandbox.how(), user_of_programs(s));
    };
    o.holds_thread = model == model_kind::sync || model == model_kind::pool;
    o.guard = guard;
    o.heard = [](std::string_view line) { log(log_level::info, line); };
    o.on_error = [](std::string_view what) { log(log_level::warn, what); };
    return compute::process_pool::make(std::move(o));
}

/// The environment of a program of the fork model, which has a single client (RFC 3875).
std::vector<std::string> describe_client(model::session& client) {
    const auto peer = client.address();
    if (!peer || peer->family() == AF_UNSPEC) return {};
    auto host = peer->to_string();
    host.resize(host.rfind(':'));
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    return {"REMOTE_ADDR=" + host, "REMOTE_PORT=" + std::to_string(peer->port())};
}

/// Lets programs finish their answers while the server drains, tells them to end half a second
/// before the grace is over, and then kills them.
void stop_pool(compute::process_pool& pool, io::duration grace) {
    const auto now = io::clock::now();
    pool.stop(io::after(now, std::max<io::duration>(grace - 500ms, grace / 2)),
              io::after(now, grace));
}

/// Stops programs once no client is left, and waits for their end.
void join_pool(compute::process_pool& pool, io::duration grace) {
    const auto now = io::clock::now();
    pool.stop(now, io::after(now, grace));
    pool.join();
}

/// Serves a client of the fork model with its program, in a process that exits without destructors.
coro::task<void> serve_with_program(model::session& client, const model::service& serve,
                                    compute::process_pool& pool, const compute_settings& s) {
    const io::duration grace = s.common.grace;
    struct on_drain : coro::cancel_hook {
        on_drain(compute::process_pool& p, io::duration g)
            : cancel_hook{[](cancel_hook& h) noexcept {
                  auto& self = static_cast<on_drain&>(h);
                  stop_pool(self.pool, self.grace);
              }},
              pool{p},
              grace{g} {}
        compute::process_pool& pool;
        io::duration grace;
    } drain{pool, grace};
    if (!client.drain_context().cancelled()) client.drain_context().watch(drain);
    pool.set_environment(describe_client(client));
    pool.start();
    sandbox::confine_session({.how = s.common.sandbox.how(), .needs = {.children = true}});
    auto served = co_await serve(client).outcome();
    if (!served) client.peer().set_linger_reset();
    co_await client.peer().close();
    join_pool(pool, grace);
    if (!served) throw std::bad_alloc{};
}

/// Why the words that are left over are not a program; none if they are.
std::optional<std::string> why_no_program(CLI::App& command, const compute_settings& s) {
    if (!s.program.empty() && (!s.runs_program || s.program.front().starts_with('-'))) {
        return explain_unknown(command, s.program.front());
    }
    if (s.runs_program && s.program.empty()) {
        return "--exec needs a program: its name, and the words it is to be given";
    }
    if (!s.runs_program && (s.program_user || s.program_memory > 0 || s.program_time > 0ms)) {
        return "--exec-user, --exec-memory and --exec-time are for the program of --exec; give "
               "one, or leave them out";
    }
    if (s.program_user && os::sys().geteuid() != 0) {
        return "--exec-user is for root, who alone may become another user; leave it out";
    }
    if (s.program_user && s.common.model == model_kind::fork) {
        return "--exec-user does not go with --model fork, whose processes start a program each "
               "when the server can change users no more; use another model, or --user";
    }
    return std::nullopt;
}

exit_status serve_compute(CLI::App& command, compute_settings& s) {
    settle_standard_streams();
    s.program = command.remaining();
    if (auto mistake = why_no_program(command, s)) return report_usage_error(command, *mistake);
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return report_usage_error(command, pair.error());
    set_up_output(s.common, pair->model);
    if (auto entered = enter_chroot(s.common.sandbox); !entered) {
        return log_failure(entered.error());
    }
    if (auto given = inherited().assign({{"listen", &s.common.listen}}); !given) {
        return log_failure(given.error());
    }
    const auto who = open_server_auth(s.common, {s.common.listen});
    if (!who) return report_usage_error(command, who.error());
    s.compute.workers = s.common.workers;
    if (s.deadline > 0ms) s.compute.deadline = s.deadline;
    s.compute.idle_time = s.idle_time;
    s.compute.stall_time = s.stall_time;
    if (!s.common.quiet) {
        s.compute.report = [](std::string_view what) { log(log_level::warn, what); };
    }
    std::unique_ptr<compute::process_guard> guard;
    std::unique_ptr<compute::process_pool> pool;
    if (!s.program.empty()) {
        if (auto started = compute::process_guard::start([&s] { confine_guard(s); })) {
            guard = std::move(*started);
        }
        auto made = make_pool(s, pair->model, guard.get());
        if (!made) return report_usage_error(command, made.error());
        pool = std::move(*made);
    }
    compute::compute_service answers{make_handler(s, pool.get()), s.compute};
    auto serve_one = answers.service();
    if (pool && pair->model == model_kind::fork) {
        serve_one = [&pool, &s, inner = answers.service()](model::session& client) {
            return serve_with_program(client, inner, *pool, s);
        };
    }
    const auto on_stage = [&pool, &s](model::stage now) {
        if (!pool) return;
        stop_pool(*pool, now == model::stage::ending ? io::duration{} : s.common.grace);
    };
    const auto after = [&answers, &pool, &s] {
        if (pool) join_pool(*pool, s.common.grace);
        if (s.common.quiet) return;
        report(answers.counted());
        if (pool) report(pool->counted());
    };
    sandboxed_service confined{.runs_programs = pool != nullptr};
    if (pool && pair->model != model_kind::fork)
        confined.start_programs = [&pool] { pool->start(); };
    const std::vector<int> keep = guard ? std::vector<int>{guard->fd()} : std::vector<int>{};
    const std::string_view purpose =
        pool ? "have the program of --exec answer" : "have this machine compute";
    return run_server(command, s.common, *pair,
                      {.listeners = {{.where = s.common.listen,
                                      .serve = std::move(serve_one),
                                      .visitors = std::string{purpose},
                                      .needs_open = true,
                                      .door = door_with_right(who->get(), "ask", purpose)}},
                       .on_stage = on_stage,
                       .after = after,
                       .count =
                           [&answers, &pool] {
                               announce_counters(answers.counted());
                               if (pool) announce_counters(pool->counted());
                           },
                       .who = who->get(),
                       .sandbox = std::move(confined),
                       .keep = keep});
}

reading<std::chrono::milliseconds> read_milliseconds(std::string_view text) {
    constexpr std::uint64_t most = 86'400'000;
    if (auto count = count_from{1, most}(text)) return std::chrono::milliseconds{*count};
    return read_duration(text);
}

void add_compute_serve(commands& all, CLI::App& compute) {
    constexpr std::array<std::pair<std::string_view, handler_kind>, 3> handlers{
        {{"fib", handler_kind::fib}, {"echo", handler_kind::echo}, {"sleep", handler_kind::sleep}}};
    constexpr std::uint64_t most_queued = 1'000'000;
    constexpr std::uint64_t largest_fib = 92;
    auto* serve_command = compute.add_subcommand("serve", "Answer whoever asks");
    auto s = std::make_shared<compute_settings>();
    s->common.listen = "127.0.0.1:2999";
    add_value(*serve_command, "--work", s->handler, one_of{handlers}, "WHAT",
              "fib, echo, sleep (fib)");
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
    add_value(*serve_command, "--exec-user", s->program_user, read_user, "NAME",
              "Who runs --exec's program; for root (the user of the server)");
    add_value(*serve_command, "--exec-memory", s->program_memory, read_size, "SIZE",
              "Memory that the program, and each that it starts, may have of its own (no limit)");
    add_value(*serve_command, "--exec-time", s->program_time, read_duration, "TIME",
              "How long the program may take over a question before it is killed (no limit)");
    // The first word that is not a flag of ours begins the program's command line.
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
