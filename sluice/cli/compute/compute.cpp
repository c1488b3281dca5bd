// Implements the request-reply service of a server: its options, its programs, and its service; and
// `sluice compute serve`.
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

#include "sluice/cli/access_log.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/part.hpp"
#include "sluice/cli/service_counters.hpp"
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
    compute::compute_options compute;
    handler_kind handler = handler_kind::fib;
    unsigned limit = 34;
    std::chrono::milliseconds deadline{0};
    std::chrono::milliseconds idle_time{std::chrono::minutes{5}};
    std::chrono::milliseconds stall_time{std::chrono::seconds{30}};
    std::string exec;  ///< of the command's own --exec: `true`, or the program
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
std::optional<sandbox::user> user_of_programs(const compute_settings& s,
                                              const serve_options& common) {
    return s.program_user ? s.program_user : common.sandbox.as;
}

/// Confines the guard of the programs, which signals processes of their user.
void confine_guard(const compute_settings& s, const serve_options& common) {
    const sandbox::policy p{.how = common.sandbox.how(),
                            .as = user_of_programs(s, common),
                            .reachable = {.signals = true},
                            .needs = {.children = true}};
    // It works without; what is missing the server says of itself.
    static_cast<void>(sandbox::confine(p));
}

std::expected<std::unique_ptr<compute::process_pool>, std::string> make_pool(
    const compute_settings& s, const part_context& context, const compute::process_guard* guard) {
    const auto& common = context.common;
    const auto model = context.model;
    compute::process_pool_options o;
    o.command = s.program;
    // A forked process serves one client, which asks one question at a time.
    o.count = model == model_kind::fork ? 1 : model::workers_of(common.workers);
    o.queue = s.compute.queue;
    if (s.deadline > 0ms) o.deadline = s.deadline;
    o.fresh = s.fresh;
    o.memory = s.program_memory;
    if (s.program_time > 0ms) o.longest = s.program_time;
    o.confine = [&s, &common] {
        return sandbox::confine_programs(common.sandbox.how(), user_of_programs(s, common));
    };
    o.holds_thread = model == model_kind::sync || model == model_kind::pool;
    o.guard = guard;
    o.heard = [](std::string_view line) { log(log_level::info, line); };
    o.on_error = [](std::string_view what) { log(log_level::warn, what); };
    return compute::process_pool::make(std::move(o));
}

/// The environment of a program of the fork model, which has a single client (RFC 3875). One of a
/// Unix socket has no port.
std::vector<std::string> describe_client(model::session& client) {
    const auto peer = client.address();
    if (!peer || peer->family() == AF_UNSPEC) return {};
    std::string address = "REMOTE_ADDR=";
    peer->append_host(address);
    if (peer->is_unix()) return {std::move(address)};
    return {std::move(address), "REMOTE_PORT=" + std::to_string(peer->port())};
}

/// Serves a client of the fork model with its program, in a process that exits without destructors.
coro::task<void> serve_with_program(model::session& client, const model::service& serve,
                                    compute::process_pool& pool, const serve_options& common) {
    const io::duration grace = common.grace;
    struct on_drain : coro::cancel_hook {
        on_drain(compute::process_pool& p, io::duration g)
            : cancel_hook{[](cancel_hook& h) noexcept {
                  auto& self = static_cast<on_drain&>(h);
                  self.pool.drain(self.grace);
              }},
              pool{p},
              grace{g} {}
        compute::process_pool& pool;
        io::duration grace;
    } drain{pool, grace};
    if (!client.drain_context().cancelled()) client.drain_context().watch(drain);
    pool.set_environment(describe_client(client));
    pool.start();
    sandbox::confine_session({.how = common.sandbox.how(), .needs = {.children = true}});
    auto served = co_await serve(client).outcome();
    if (!served) client.peer().set_linger_reset();
    co_await client.peer().close();
    pool.stop_and_join(grace);
    if (!served) throw std::bad_alloc{};
}

/// The words of a command line, split at blanks as a shell splits them; single and double quotes
/// hold blanks.
reading<std::vector<std::string>> read_program(std::string_view text) {
    std::vector<std::string> words;
    std::optional<std::string> word;
    std::optional<char> quote;
    for (const char c : text) {
        const bool is_blank = c == ' ' || c == '\t';
        if (quote == c) {
            quote.reset();
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
            word = word.value_or("");
        } else if (!quote && is_blank) {
            if (word) words.push_back(std::move(*word));
            word.reset();
        } else {
            word = word.value_or("") + c;
        }
    }
    if (quote) return std::unexpected{in_quotes(text) + " opens a quote and never closes it"};
    if (word) words.push_back(std::move(*word));
    if (words.empty()) {
        return std::unexpected{std::string{"a program is its name, and the words it is given"}};
    }
    return words;
}

reading<std::chrono::milliseconds> read_milliseconds(std::string_view text) {
    constexpr std::uint64_t most = 86'400'000;
    if (auto count = count_from{1, most}(text)) return std::chrono::milliseconds{*count};
    return read_duration(text);
}

class compute_part final : public one_door_part {
 public:
    explicit compute_part(part_name called)
        : one_door_part{std::move(called), "compute", usual_address} {}

    static constexpr auto usual_address = "127.0.0.1:2999";

    void add_options(CLI::App& command) override;
    [[nodiscard]] std::optional<std::string> why_not(const serve_options& common,
                                                     const pairing& pair) const override;
    [[nodiscard]] std::expected<served, refusal> open(const part_context& context) override;
    [[nodiscard]] std::vector<std::string_view> take_over(const part& fresh,
                                                          const serve_options& common) override;

    /// Takes the words that came last on the command line. The error is a sentence without its full
    /// stop.
    [[nodiscard]] std::expected<void, std::string> take_words(CLI::App& command);

 private:
    [[nodiscard]] std::expected<void, std::string> open_pool(const part_context& context);

    compute_settings settings_;
    std::unique_ptr<compute::process_guard> guard_;
    std::unique_ptr<compute::process_pool> pool_;
    std::unique_ptr<compute::compute_service> answers_;
};

void compute_part::add_options(CLI::App& command) {
    constexpr std::array<std::pair<std::string_view, handler_kind>, 3> handlers{
        {{"fib", handler_kind::fib}, {"echo", handler_kind::echo}, {"sleep", handler_kind::sleep}}};
    constexpr std::uint64_t most_queued = 1'000'000;
    constexpr std::uint64_t largest_fib = 92;
    auto& s = settings_;
    const auto flag = [this](std::string_view option) { return name().flag(option); };
    add_address(command, "questions are answered");
    add_value(command, flag("work"), s.handler, one_of{handlers}, "WHAT", "fib, echo, sleep (fib)");
    add_framing_option(command, s.compute.framing, flag("framing"));
    add_max_line_option(command, s.compute.max_line, "question", flag("max-line"));
    add_value(command, flag("queue"), s.compute.queue, count_from{0, most_queued}, "N",
              fmt::format("Questions that may wait for a worker of the event model; the next is "
                          "'busy' ({})",
                          s.compute.queue));
    add_value(
        command, flag("deadline"), s.deadline, read_milliseconds, "MS",
        "A question that waited longer is 'late' and not computed; with --exec, one that is not "
        "answered by then (none; 30s with --exec)");
    add_value(command, flag("idle-time"), s.idle_time, read_duration, "TIME",
              "A connection on which nothing is asked for so long is closed (5m)");
    add_value(command, flag("stall-time"), s.stall_time, read_duration, "TIME",
              "For the rest of a question that has begun, and for a client to take its answers "
              "(30s)");
    add_value(command, flag("limit"), s.limit, count_from{0, largest_fib}, "N",
              fmt::format("Largest number for fib ({})", s.limit));
    if (name().is_alone()) {
        const auto why_no_program = [](const std::string& text) {
            const auto program = read_program(text);
            return program ? std::string{} : program.error();
        };
        // A configuration gives the program in one piece, as in exec = bc -l.
        command
            .add_flag("--exec", s.exec,
                      "Answer with a program that answers lines with lines: PROGRAM and its "
                      "own words come last")
            ->type_name("COMMAND")
            ->type_size(0)  // which the help does not show
            ->check(why_no_program);
    } else {
        add_value(command, flag("exec"), s.program, read_program, "COMMAND",
                  "Answer with a program that answers lines with lines: its name and its own "
                  "words, in one piece");
    }
    command.add_flag(flag("fresh"), s.fresh, "A new process of --exec's program for each question");
    add_value(command, flag("exec-user"), s.program_user, read_user, "NAME",
              "Who runs --exec's program; for root (the user of the server)");
    add_value(command, flag("exec-memory"), s.program_memory, read_size, "SIZE",
              "Memory that the program, and each that it starts, may have of its own (no limit)");
    add_value(command, flag("exec-time"), s.program_time, read_duration, "TIME",
              "How long the program may take over a question before it is killed (no limit)");
}

std::expected<void, std::string> compute_part::take_words(CLI::App& command) {
    auto& program = settings_.program;
    const auto& exec = settings_.exec;
    const bool comes_last = exec == "true";
    program = command.remaining();
    if (!program.empty() && (!comes_last || program.front().starts_with('-'))) {
        return std::unexpected{explain_unknown(command, program.front())};
    }
    const bool is_given = !exec.empty() && !comes_last && exec != "false";
    if (is_given) program = read_program(exec).value_or(program);
    if (comes_last && program.empty()) {
        return std::unexpected{
            std::string{"--exec needs a program: its name, and the words it is to be given"}};
    }
    return {};
}

std::optional<std::string> compute_part::why_not(const serve_options& common,
                                                 const pairing& pair) const {
    const auto& s = settings_;
    if (auto why = why_no_door(common)) return why;
    if (s.program.empty() && (s.program_user || s.program_memory > 0 || s.program_time > 0ms)) {
        return fmt::format(
            "{}, {} and {} are for the program of --exec; give one, or leave them "
            "out",
            name().flag("exec-user"), name().flag("exec-memory"), name().flag("exec-time"));
    }
    if (s.program_user && pair.model == model_kind::fork) {
        return fmt::format(
            "{} does not go with --model fork, whose processes start a program each when the "
            "server can change users no more; use another model, or --user",
            name().flag("exec-user"));
    }
    return std::nullopt;
}

std::expected<void, std::string> compute_part::open_pool(const part_context& context) {
    if (settings_.program.empty()) return {};
    const auto confine = [this, &context] { confine_guard(settings_, context.common); };
    if (auto started = compute::process_guard::start(confine)) guard_ = std::move(*started);
    auto made = make_pool(settings_, context, guard_.get());
    if (!made) return std::unexpected{std::move(made.error())};
    pool_ = std::move(*made);
    return {};
}

std::expected<served, refusal> compute_part::open(const part_context& context) {
    auto& s = settings_;
    if (s.program_user && os::sys().geteuid() != 0) {
        return std::unexpected{
            refusal{.why = name().flag("exec-user") +
                           " is for root, who alone may become another user; leave it out"}};
    }
    const auto& common = context.common;
    auto options = s.compute;
    options.workers = common.workers;
    if (s.deadline > 0ms) options.deadline = s.deadline;
    options.idle_time = s.idle_time;
    options.stall_time = s.stall_time;
    options.access = access_log_of(common.access, context.model);
    if (!common.quiet) {
        options.report = [](std::string_view what) { log(log_level::warn, what); };
    }
    if (auto opened = open_pool(context); !opened) {
        return std::unexpected{refusal{.why = std::move(opened.error())}};
    }
    answers_ = std::make_unique<compute::compute_service>(make_handler(s, pool_.get()), options);
    const std::string_view purpose =
        pool_ ? "have the program of --exec answer" : "have this machine compute";
    served what{.listeners = {{.where = address(common),
                               .serve = answers_->service(),
                               .what = name().title("compute"),
                               .flag = address_flag(),
                               .visitors = std::string{purpose},
                               .needs_open = true,
                               .door = door_with_right(context.who, "ask", purpose),
                               .event = model::access_kind::question}},
                .after =
                    [this, &common] {
                        if (pool_) pool_->stop_and_join(common.grace);
                        if (common.quiet) return;
                        report(answers_->counted());
                        if (pool_) report(pool_->counted());
                    },
                .count =
                    [this](metrics::collection& to) {
                        collect_as_own(to, [this](metrics::collection& own) {
                            collect(own, answers_->counted());
                            if (pool_) collect(own, pool_->counted());
                        });
                    }};
    if (!pool_) return what;
    what.on_stage = [this, &common](model::stage now) {
        pool_->drain(now == model::stage::ending ? io::duration{} : common.grace);
    };
    what.sandbox.runs_programs = true;
    if (guard_) what.keep = {guard_->fd()};
    if (context.model == model_kind::fork) {
        what.listeners.front().serve = [this, &common,
                                        inner = answers_->service()](model::session& client) {
            return serve_with_program(client, inner, *pool_, common);
        };
    } else {
        what.sandbox.start_programs = [this] { pool_->start(); };
    }
    return what;
}

std::vector<std::string_view> compute_part::take_over(const part& fresh,
                                                      const serve_options& /*common*/) {
    const auto& now = static_cast<const compute_part&>(fresh).settings_;
    auto& live = answers_->live();
    live.idle_time = now.idle_time;
    live.stall_time = now.stall_time;
    if (pool_) return {"idle-time", "stall-time"};
    live.deadline = now.deadline > 0ms ? io::duration{now.deadline} : io::duration::max();
    return {"idle-time", "stall-time", "deadline"};
}

void add_compute_serve(commands& all, CLI::App& compute) {
    auto* command = compute.add_subcommand("serve", "Answer whoever asks");
    auto server = std::make_shared<server_command>();
    auto& answers = server->add(*command, std::make_unique<compute_part>(part_name{}));
    server->common.listen = compute_part::usual_address;
    // The first word that is not a flag of ours begins the program's command line.
    command->prefix_command();
    add_serve_options(*command, server->common);
    const auto run = [&all, command, server, &answers] {
        if (const auto taken = answers.take_words(*command); !taken) {
            return report_usage_error(*command, taken.error());
        }
        return server->run(all);
    };
    all.on(*command, run, server);
}

}  // namespace

std::unique_ptr<part> make_compute_part(part_name name) {
    return std::make_unique<compute_part>(std::move(name));
}

void add_compute(commands& all) {
    auto* compute =
        all.root().add_subcommand("compute", "Answer questions, or ask them, under any model");
    compute->require_subcommand(1);
    add_compute_serve(all, *compute);
    add_compute_ask(all, *compute);
}

}  // namespace sluice::cli
