// `sluice compute serve`: a request-reply server under any model.
#include "sluice/service/compute/compute.hpp"

#include <fmt/format.h>

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

#include "sluice/cli/compute_ask.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/message_options.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/serve_options.hpp"
#include "sluice/cli/service_counters.hpp"
#include "sluice/cli/serving.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/model/model.hpp"
#include "sluice/service/compute/programs.hpp"

namespace sluice::cli {
namespace {

using namespace std::chrono_literals;

enum class work_kind : std::uint8_t { fib, echo, sleep };

struct settings {
    serve_options common;
    service::compute_options compute;
    work_kind work = work_kind::fib;
    unsigned limit = 34;
    std::chrono::milliseconds deadline{0};
    bool runs_program = false;
    std::vector<std::string> program;
};

constexpr auto longest_sleep = 1h;

std::unique_ptr<service::work> make_work(const settings& s, service::programs* programs) {
    if (programs != nullptr) {
        return service::make_function(std::function<result<std::string>(std::string_view)>{
            [programs](std::string_view question) { return programs->ask(question); }});
    }
    switch (s.work) {
        case work_kind::fib: return service::make_fib(s.limit);
        case work_kind::echo: return service::make_echo();
        case work_kind::sleep: return service::make_sleep(longest_sleep);
    }
    return nullptr;
}

double in_seconds(std::uint64_t nanoseconds) {
    return static_cast<double>(nanoseconds) / 1e9;
}

void report(const service::tally& t) {
    log(log_level::info,
        fmt::format("answered {} at once and {} after work; {} busy, {} late, {} failed, {} too "
                    "long, {} abandoned by their clients",
                    grouped(t.at_once), grouped(t.worked_on), grouped(t.busy), grouped(t.late),
                    grouped(t.failed), grouped(t.too_long), grouped(t.abandoned)));
    if (t.worked_ns == 0) return;
    log(log_level::info,
        fmt::format("queued for {:.3f} s altogether, {:.3f} s at most; worked for {:.3f} s",
                    in_seconds(t.queued_ns), in_seconds(t.longest_queued_ns),
                    in_seconds(t.worked_ns)));
}

std::expected<std::unique_ptr<service::programs>, std::string> make_programs(const settings& s,
                                                                             model_kind model) {
    service::programs_options o;
    o.command = s.program;
    // A process that serves one client asks one thing at a time.
    o.count = model == model_kind::fork ? 1 : model::workers_of(s.common.workers);
    o.queue = s.compute.queue;
    o.deadline = s.compute.deadline;
    o.heard = [](std::string_view line) { log(log_level::info, line); };
    o.trouble = [](std::string_view what) { log(log_level::warn, what); };
    return service::programs::make(std::move(o));
}

/// What is wrong with the words that are left over.
std::optional<std::string> why_no_program(CLI::App& command, const settings& s) {
    if (!s.program.empty() && (!s.runs_program || s.program.front().starts_with('-'))) {
        return explain_unknown(command, s.program.front());
    }
    if (s.runs_program && s.program.empty()) {
        return "--exec needs a program: its name, and the words it is to be given";
    }
    return std::nullopt;
}

exit_status serve(CLI::App& command, settings& s) {
    settle_standard_streams();
    s.program = command.remaining();
    if (auto mistake = why_no_program(command, s)) return complain(command, *mistake);
    const auto pair = pair_up(s.common.engine, s.common.model);
    if (!pair) return complain(command, pair.error());
    set_up_output(s.common, pair->model);
    s.compute.workers = s.common.workers;
    if (s.deadline > 0ms) s.compute.deadline = s.deadline;
    std::unique_ptr<service::programs> programs;
    if (!s.program.empty()) {
        auto made = make_programs(s, pair->model);
        if (!made) return complain(command, made.error());
        programs = std::move(*made);
        if (pair->model != model_kind::fork) programs->start();
    }
    service::compute answers{make_work(s, programs.get()), s.compute};
    const auto on_stage = [&programs](model::stage now) {
        if (programs && now == model::stage::ending) programs->shut();
    };
    const auto after = [&answers, &s] {
        if (!s.common.quiet) report(answers.counted());
    };
    return run_server(command, s.common, *pair,
                      {.doors = {{.where = s.common.listen, .serve = answers.service()}},
                       .on_stage = on_stage,
                       .after = after,
                       .count = [&answers] { announce_counters(answers.counted()); }});
}

reading<std::chrono::milliseconds> read_milliseconds(std::string_view text) {
    constexpr std::uint64_t most = 86'400'000;
    if (auto count = count_from{1, most}(text)) return std::chrono::milliseconds{*count};
    return read_duration(text);
}

void add_serve(commands& all, CLI::App& compute) {
    constexpr std::array<std::pair<std::string_view, work_kind>, 3> works{
        {{"fib", work_kind::fib}, {"echo", work_kind::echo}, {"sleep", work_kind::sleep}}};
    constexpr std::uint64_t most_queued = 1'000'000;
    constexpr std::uint64_t largest_fib = 92;
    auto* serve_command = compute.add_subcommand("serve", "Answer whoever asks");
    auto s = std::make_shared<settings>();
    s->common.listen = "127.0.0.1:2999";
    add_value(*serve_command, "--work", s->work, one_of{works}, "WHAT", "fib, echo, sleep (fib)");
    add_framing_option(*serve_command, s->compute.framing);
    add_max_line_option(*serve_command, s->compute.max_line, "question");
    add_value(*serve_command, "--queue", s->compute.queue, count_from{0, most_queued}, "N",
              fmt::format("Questions that may wait for a worker of the event model; the next is "
                          "'busy' ({})",
                          s->compute.queue));
    add_value(*serve_command, "--deadline", s->deadline, read_milliseconds, "MS",
              "A question that waited longer is 'late' and not computed (none)");
    add_value(*serve_command, "--limit", s->limit, count_from{0, largest_fib}, "N",
              fmt::format("Largest number for fib ({})", s->limit));
    serve_command->add_flag("--exec", s->runs_program,
                            "Answer with a program that answers lines with lines: PROGRAM and its "
                            "own words come last");
    // From the first word that is no flag of ours, all belongs to the program.
    serve_command->prefix_command();
    add_serve_options(*serve_command, s->common);
    all.on(*serve_command, [serve_command, s] { return serve(*serve_command, *s); });
}

}  // namespace

void add_compute(commands& all) {
    auto* compute =
        all.root().add_subcommand("compute", "Answer questions, or ask them, under any model");
    compute->require_subcommand(1);
    add_serve(all, *compute);
    add_compute_ask(all, *compute);
}

}  // namespace sluice::cli
