// Implements `sluice lab`: measures plans, writes reports and the best strategies.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/cli/lab/config.hpp"
#include "sluice/cli/lab/reports.hpp"
#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/output_queue.hpp"
#include "sluice/cli/run_server.hpp"
#include "sluice/cli/standard_streams.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/lab/best_variant.hpp"
#include "sluice/lab/child.hpp"
#include "sluice/lab/environment.hpp"
#include "sluice/lab/interruption.hpp"
#include "sluice/lab/noise.hpp"
#include "sluice/lab/plan.hpp"
#include "sluice/lab/progress.hpp"
#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/runner.hpp"
#include "sluice/lab/settings.hpp"
#include "sluice/lab/single_instance_lock.hpp"
#include "sluice/lab/testbed.hpp"
#include "sluice/lab/workspace.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

struct lab_settings {
    lab::settings what;
    bool quick = false;
    bool full = false;
    bool quiet = false;
    report_paths reports;
    lab::baseline base = lab::baseline::first;
    std::string config;  ///< file for the best strategies; empty: none
};

std::string now_in_utc() {
    const auto now = std::chrono::system_clock::to_time_t(os::wall_clock_now());
    return fmt::format("{:%FT%TZ}", fmt::gmtime(now));
}

using cases = std::vector<lab::planned_case>;

/// The cases of the plan called `name`, or of every plan.
std::expected<cases, std::string> cases_of(std::string_view name, lab::testbed& bed) {
    cases found;
    for (const auto& plan : lab::all_plans()) {
        if (name == "all" ? plan.alone : name != plan.name) continue;
        auto some = plan.cases(bed);
        if (!some) return std::unexpected{std::move(some.error())};
        std::ranges::move(*some, std::back_inserter(found));
    }
    return found;
}

/// The command line of this program, quoted for a shell.
std::string command_line() {
    std::istringstream file{read_text("/proc/self/cmdline").value_or("")};
    std::vector<std::string> words;
    for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
    if (!words.empty()) words.front() = "sluice";
    return lab::shell_words(words);
}

/// A setting whose value is the best variant of a plan.
struct tuned_setting {
    std::string_view plan;
    std::string_view command;
    std::string_view setting;
};

bool exists(CLI::App& root, const tuned_setting& what) {
    auto* files = find_below(root, "files");
    const auto name = what.command.substr(what.command.find(' ') + 1);
    auto* command = files == nullptr ? nullptr : find_below(*files, name);
    return command != nullptr &&
           command->get_option_no_throw("--" + std::string{what.setting}) != nullptr;
}

/// Writes the best strategies to the configuration.
std::expected<void, std::string> tune(CLI::App& root, const lab::results& found,
                                      const std::string& path) {
    constexpr std::array<tuned_setting, 3> all{
        {{.plan = "download", .command = "files offer", .setting = "strategy"},
         {.plan = "download", .command = "files serve", .setting = "send-strategy"},
         {.plan = "upload", .command = "files serve", .setting = "strategy"}}};
    for (const auto& each : all) {
        const auto best = lab::best_variant_of(found, each.plan);
        if (!best || !exists(root, each)) continue;
        if (auto done = write_setting(path, each.command, each.setting, *best); !done) return done;
        announce(fmt::format("{}: {} = {} is in {} now; `sluice {} --config {}` uses it", each.plan,
                             each.setting, *best, in_quotes(path), each.command, path));
    }
    return {};
}

exit_status report(CLI::App& root, const lab::results& found, const lab_settings& s, int signal) {
    const auto text = lab::as_text(found, form_of_stdout(s.base));
    // The progress bar must be gone before the findings are written in its place.
    constexpr std::chrono::milliseconds timeout{200};
    output().flush(timeout);
    if (uses_stdout(s.reports)) {
        show_on_stderr(text);
    } else {
        print(text);
    }
    if (auto written = write_reports(found, s.reports, s.base); !written) {
        return announce_failure(written.error());
    }
    if (!s.config.empty() && !found.interrupted) {
        if (auto done = tune(root, found, s.config); !done) return announce_failure(done.error());
    }
    if (signal == SIGINT) return exit_status::interrupted;
    return signal == 0 ? exit_status::done : exit_status::failed;
}

/// An error in the flags: flags that exclude each other, or --drop-caches without root.
std::optional<std::string> flag_conflict(const lab_settings& s) {
    if (s.quick && s.full) return "--quick and --full exclude each other";
    if (s.what.drop_caches && os::sys().geteuid() != 0) {
        return "--drop-caches is for root; without it, files are taken out of the cache one by one";
    }
    return std::nullopt;
}

exit_status measure(CLI::App& root, const CLI::App& command, const std::string& plan,
                    lab_settings& s) {
    settle_standard_streams();
    raise_open_files();
    if (const auto conflict = flag_conflict(s)) return report_usage_error(command, *conflict);
    if (auto can = try_paths(s.reports); !can) return announce_failure(can.error());
    s.what.how = s.quick  ? lab::run_length::quick
                 : s.full ? lab::run_length::full
                          : lab::run_length::normal;
    const auto instance_lock = lab::single_instance_lock::claim();
    if (!instance_lock) return announce_failure(instance_lock.error());
    const auto begun = io::clock::now();
    const lab::interruption stop;
    const auto files = lab::workspace::make(s.what.directory);
    if (!files) return announce_failure(files.error());
    lab::testbed bed{.asked = s.what, .stop = stop, .files = *files};
    lab::results found;
    found.command = command_line();
    found.started = now_in_utc();
    found.environment = lab::read_environment(SLUICE_VERSION, s.what.directory, bed.cores);
    if (bed.cores.one_only) {
        found.warnings.emplace_back(
            "There is one core only, which server and load share: the figures tell of both, and "
            "not of what either could do alone.");
    }
    auto all = cases_of(plan, bed);
    if (!all) return announce_failure(all.error());
    const auto within = lab::limits_of(s.what, all->size());
    {
        lab::noise noise;
        if (!s.quiet) {
            constexpr std::chrono::milliseconds observation{300};
            if (const auto busy = noise.look_around(observation); !busy.empty()) {
                announce(fmt::format("sluice: {}", busy));
            }
        }
        lab::progress progress{
            all->size(), io::clock::now() + std::chrono::duration_cast<io::duration>(within.usual),
            s.quiet ? lab::progress::sink{} : lab::progress::sink{show_on_stderr}, within.fewest,
            within.most};
        const auto done = lab::measure(*all, within, s.what, progress, noise, found);
        if (!done) return announce_failure(done.error());
    }
    if (const auto warning = bed.memory.warning(); !warning.empty()) {
        found.warnings.push_back(warning);
    }
    found.seconds = std::chrono::duration<double>(io::clock::now() - begun).count();
    return report(root, found, s, lab::interruption::signal());
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

void add_write_config(CLI::App& command, std::string& into) {
    constexpr auto default_path = "sluice.conf";
    command
        .add_option("--write-config", CLI::callback_t{[&into](const CLI::results_t& texts) {
                        const auto& text = texts.back();
                        into = text.empty() || text == "{}" ? default_path : text;
                        return true;
                    }},
                    "Write the strategies that won to a configuration (sluice.conf)")
        ->expected(0, 1)
        ->type_name("[FILE]");
}

void add_plan(commands& all, CLI::App& lab, const std::string& name,
              const std::string& description) {
    auto* command = lab.add_subcommand(name, description);
    auto s = std::make_shared<lab_settings>();
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
        "SIZE",
        "Bytes of each file (256M, 1G of downloads; half of it with --quick; less where memory is "
        "short)");
    constexpr std::uint64_t most_rounds = 10'000;
    add_value(*command, "--repeat", s->what.repeat, count_from{1, most_rounds}, "N",
              "So many rounds exactly (until they are precise, or time is up)");
    add_value(*command, "--clients", s->what.clients, read_clients, "LIST",
              "Clients, connections or members, as in 1,8,64 (the plan's own)");
    add_value(*command, "--precision", s->what.precision,
              percent_from{0.1, 50, "is no precision; write a share from 0.1% to 50%"}, "SHARE",
              "Stop when every median is known this well (2%)");
    add_value(*command, "--seconds", s->what.seconds,
              number_from{0.01, 3600, "is no time; write seconds from 0.01 to 3600"}, "S",
              "What one sample of a rate measures (0.4; 0.15 with --quick, 2 with --full)");
    command->add_option("--directory", s->what.directory, "Where files are made (.)")
        ->type_name("DIR");
    command->add_flag("--drop-caches", s->what.drop_caches,
                      "Before cold copies empty all caches of the machine, too; for root");
    command->add_option("--html", s->reports.html, "Write a page, with plots (- is stdout)")
        ->type_name("FILE");
    command
        ->add_option("--json", s->reports.json,
                     "Write everything, for `lab compare` too (- is stdout)")
        ->type_name("FILE");
    command->add_option("--csv", s->reports.csv, "Write a row a sample (- is stdout)")
        ->type_name("FILE");
    constexpr std::array<std::pair<std::string_view, lab::baseline>, 2> baselines{
        {{"first", lab::baseline::first}, {"best", lab::baseline::best}}};
    add_value(*command, "--baseline", s->base, one_of{baselines}, "WHICH",
              "What others are compared to: first, the classic way, or best (first)");
    if (name == "download" || name == "upload" || name == "all") {
        add_write_config(*command, s->config);
    }
    command->add_flag("--quiet", s->quiet, "Say nothing of the progress");
    all.on(*command,
           [&root = all.root(), command, name, s] { return measure(root, *command, name, *s); });
}

}  // namespace

void add_lab(commands& all) {
    auto* lab = all.root().add_subcommand("lab", "Measure which way is fastest on this machine");
    lab->require_subcommand(1);
    for (const auto& plan : lab::all_plans()) {
        add_plan(all, *lab, std::string{plan.name}, std::string{plan.description});
    }
    add_plan(all, *lab, "all", "Everything, one after another");
    add_lab_compare(all, *lab);
    add_lab_load(all, *lab);
}

}  // namespace sluice::cli
