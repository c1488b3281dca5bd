// `sluice lab`: measures what is fastest on this machine.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/lab_load.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/serving.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/words.hpp"
#include "sluice/lab/child.hpp"
#include "sluice/lab/environment.hpp"
#include "sluice/lab/interruption.hpp"
#include "sluice/lab/only_lab.hpp"
#include "sluice/lab/plan.hpp"
#include "sluice/lab/progress.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/rig.hpp"
#include "sluice/lab/runner.hpp"
#include "sluice/lab/settings.hpp"
#include "sluice/lab/statistics.hpp"
#include "sluice/lab/workspace.hpp"

namespace sluice::cli {
namespace {

struct settings {
    lab::settings what;
    bool quick = false;
    bool full = false;
    bool quiet = false;
    std::string html;
    std::string json;
    std::string csv;
};

exit_status fail(const std::string& why) {
    announce(fmt::format("sluice: {}", why));
    return exit_status::failed;
}

std::string now_in_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

using cases = std::vector<lab::planned_case>;

/// The cases of the plan called `name`, or of every plan.
std::expected<cases, std::string> cases_of(std::string_view name, lab::rig& where) {
    cases found;
    for (const auto& plan : lab::all_plans()) {
        if (name != "all" && name != plan.name) continue;
        auto some = plan.cases(where);
        if (!some) return std::unexpected{std::move(some.error())};
        std::ranges::move(*some, std::back_inserter(found));
    }
    return found;
}

void show(const lab::results& found) {
    std::string text;
    for (const auto& each : found.cases) {
        text += fmt::format("{}, {}\n", each.plan, each.name);
        for (const auto& f : each.figures) {
            text += fmt::format("  {:<16}", f.variant);
            for (const auto& q : f.quantities) {
                const auto e = lab::median_of(q.samples);
                text += fmt::format(" {} {:.6g} [{:.6g} {:.6g}] {} ({});", q.name, e.median, e.low,
                                    e.high, q.unit, e.count);
            }
            text += '\n';
            for (const auto& l : f.latencies)
                text += fmt::format("    {} {:.6f}", l.share, l.seconds);
            if (!f.latencies.empty()) text += '\n';
        }
    }
    for (const auto& each : found.warnings) text += "warning: " + each + '\n';
    print(text);
}

exit_status measure(const CLI::App& command, const std::string& plan, settings& s,
                    const std::string& typed) {
    settle_standard_streams();
    raise_open_files();
    if (s.quick && s.full) return complain(command, "--quick and --full exclude each other");
    s.what.how = s.quick ? lab::effort::quick : s.full ? lab::effort::full : lab::effort::normal;
    const auto only = lab::only_lab::claim();
    if (!only) return fail(only.error());
    const auto begun = std::chrono::steady_clock::now();
    const lab::interruption stop;
    const auto files = lab::workspace::make(s.what.directory);
    if (!files) return fail(files.error());
    lab::rig where{.asked = s.what, .stop = stop, .files = *files};
    lab::results found;
    found.command = typed;
    found.started = now_in_utc();
    found.environment = lab::read_environment(SLUICE_VERSION, s.what.directory, where.cores);
    if (where.cores.one_only) {
        found.warnings.emplace_back(
            "There is one core only, which server and load share: the figures tell of both, and "
            "not of what either could do alone.");
    }
    auto all = cases_of(plan, where);
    if (!all) return fail(all.error());
    const auto within = lab::limits_of(s.what, all->size());
    {
        lab::progress told{
            all->size(),
            std::chrono::steady_clock::now() +
                std::chrono::duration_cast<std::chrono::steady_clock::duration>(within.usual),
            s.quiet};
        const auto done = lab::measure(*all, within, s.what, stop, told, found);
        if (!done) return fail(done.error());
    }
    if (const auto verdict = where.memory.verdict(); !verdict.empty()) {
        found.warnings.push_back(verdict);
    }
    found.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    show(found);
    if (stop.signal() == SIGINT) return exit_status::interrupted;
    return stop.signal() == 0 ? exit_status::done : exit_status::failed;
}

reading<double> read_number(std::string_view text, double least, double most,
                            std::string_view advice) {
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc{} || end != text.data() + text.size() || !(value >= least) ||
        value > most) {
        return std::unexpected{in_quotes(text) + std::string{advice}};
    }
    return value;
}

reading<double> read_seconds(std::string_view text) {
    return read_number(text, 0.01, 3600, " is no time; write seconds from 0.01 to 3600");
}

/// `2%` or `2`.
reading<double> read_percent(std::string_view text) {
    const auto bare = text.ends_with('%') ? text.substr(0, text.size() - 1) : text;
    auto value = read_number(bare, 0.1, 50, " is no precision; write a share from 0.1% to 50%");
    if (!value) return value;
    return *value / 100;
}

reading<std::vector<std::uint64_t>> read_clients(std::string_view text) {
    constexpr std::uint64_t most = 10'000;
    std::vector<std::uint64_t> found;
    while (true) {
        const auto end = std::min(text.find(','), text.size());
        auto one = count_from{1, most}(text.substr(0, end));
        if (!one) {
            return std::unexpected{one.error() + ", or several with commas between, as in 1,8,64"};
        }
        found.push_back(*one);
        if (end == text.size()) break;
        text.remove_prefix(end + 1);
    }
    std::ranges::sort(found);
    const auto again = std::ranges::unique(found);
    found.erase(again.begin(), again.end());
    return found;
}

void add_plan(commands& all, CLI::App& lab, const std::string& name,
              const std::string& description) {
    auto* command = lab.add_subcommand(name, description);
    auto s = std::make_shared<settings>();
    command->add_flag("--quick", s->quick, "A first look: `all` in less than 2 minutes");
    command->add_flag("--full", s->full, "As sure as can be, however long it takes");
    add_value(
        *command, "--size", s->what.size,
        [](std::string_view text) -> reading<std::uint64_t> {
            auto size = read_size(text);
            if (size && *size == 0)
                return std::unexpected{
                    std::string{"a file of 0 bytes says nothing; write a size such as 256M"}};
            return size;
        },
        "SIZE", "Bytes of each file (1G; 256M with --quick; less where memory is short)");
    constexpr std::uint64_t most_rounds = 10'000;
    add_value(*command, "--repeat", s->what.repeat, count_from{1, most_rounds}, "N",
              "So many rounds exactly (until they are precise, or time is up)");
    add_value(*command, "--clients", s->what.clients, read_clients, "LIST",
              "Clients, connections or members, as in 1,8,64 (the plan's own)");
    add_value(*command, "--precision", s->what.precision, read_percent, "SHARE",
              "Stop when every median is known this well (2%)");
    add_value(*command, "--seconds", s->what.seconds, read_seconds, "S",
              "What one sample of a rate measures (1; 0.25 with --quick, 2 with --full)");
    command->add_option("--directory", s->what.directory, "Where files are made (.)")
        ->type_name("DIR");
    command->add_flag("--drop-caches", s->what.drop_caches,
                      "Before cold copies empty all caches of the machine, too; for root");
    command->add_flag("--quiet", s->quiet, "Say nothing of the progress");
    all.on(*command, [command, name, s] {
        return measure(*command, name, *s, "sluice " + path_of(*command));
    });
}

}  // namespace

void add_lab(commands& all) {
    auto* lab = all.root().add_subcommand("lab", "Measure which gate is fastest on this machine");
    lab->require_subcommand(1);
    for (const auto& plan : lab::all_plans()) {
        add_plan(all, *lab, std::string{plan.name}, std::string{plan.description});
    }
    add_plan(all, *lab, "all", "Everything, one after another");
    add_lab_load(all, *lab);
}

}  // namespace sluice::cli
