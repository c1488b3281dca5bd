// Implements `sluice lab compare`: reads two JSON reports and prints the changes beyond the noise.
#include "sluice/lab/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/cli/log.hpp"
#include "sluice/cli/options.hpp"
#include "sluice/cli/output.hpp"
#include "sluice/cli/subcommands.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/text_file.hpp"
#include "sluice/lab/report/json.hpp"
#include "sluice/lab/report/quantity.hpp"
#include "sluice/term/colour.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::cli {
namespace {

using lab::comparison_outcome;

struct compare_settings {
    std::string before;
    std::string after;
    double threshold = 0.05;
    bool all = false;
    bool force = false;
};

std::expected<lab::results, std::string> read_report(const std::string& path) {
    const auto text = read_text(path);
    if (!text) {
        return std::unexpected{
            fmt::format("cannot read {}: {}; give a report that `sluice lab ... --json FILE` wrote",
                        in_quotes(path), text.error().message())};
    }
    auto found = lab::read_json(*text);
    if (!found) {
        return std::unexpected{
            fmt::format("cannot use {} as a report: {}", in_quotes(path), found.error())};
    }
    return *std::move(found);
}

std::string format_difference(const lab::difference& each) {
    const auto value = [](const std::string& text) {
        return text.empty() ? std::string{"not told"} : wire::printable(text);
    };
    return fmt::format("{} {}: {}, then {}", wire::printable(each.before.topic),
                       wire::printable(each.before.name), value(each.before.value),
                       value(each.after.value));
}

/// Warns of different conditions; true if the reports are from two machines.
bool warn_of_conditions(const lab::changes& found) {
    bool other_machine = false;
    for (const auto& each : found.mismatches) {
        other_machine = other_machine || each.before.topic == "processor";
        show_on_stderr(wrapped(
            "The two were not measured under equal conditions: " + format_difference(each) + '.', 0,
            text_columns));
    }
    return other_machine;
}

void warn_of_interruption(const compare_settings& s, const lab::results& before,
                          const lab::results& after) {
    for (const auto& [path, run] : {std::pair{&s.before, &before}, std::pair{&s.after, &after}}) {
        if (run->interrupted) {
            show_on_stderr(
                fmt::format("{} was interrupted: it has less to compare.\n", in_quotes(*path)));
        }
    }
}

bool has_changed(const lab::change& each) {
    return each.found.outcome == comparison_outcome::better ||
           each.found.outcome == comparison_outcome::worse;
}

std::string_view word_for(const lab::change& each, double threshold) {
    if (each.regressed(threshold)) return "WORSE";
    switch (each.found.outcome) {
        case comparison_outcome::better: return "better";
        case comparison_outcome::worse: return "worse";
        case comparison_outcome::tie: return "same";
        case comparison_outcome::unknown: break;
    }
    return "?";
}

std::string row_of(const lab::change& each, double threshold, bool colour) {
    const auto units = lab::scale_for(std::max(each.before.median, each.after.median), each.unit);
    const auto word = word_for(each, threshold);
    const auto* code = word == "WORSE"    ? "31"
                       : word == "better" ? "32"
                       : word == "worse"  ? "33"
                                          : "2";
    const auto interval = !each.found.has_interval
                              ? std::string{}
                              : fmt::format(" ({} to {})", lab::shown_ratio(each.found.low),
                                            lab::shown_ratio(each.found.high));
    const auto mark = fmt::format("{:<6}", word);
    return fmt::format("  {}  {}, {}: {} to {} {}, {} x{}\n",
                       colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, mark) : mark,
                       wire::printable(each.variant), wire::printable(each.quantity),
                       lab::shown(each.before.median, units), lab::shown(each.after.median, units),
                       wire::printable(units.unit), lab::shown_ratio(each.found.ratio), interval);
}

void print_changes(const lab::changes& found, const compare_settings& s) {
    const bool colour = term::may_colour(stdout);
    std::string text;
    std::string_view plan;
    std::string_view name;
    for (const auto& each : found.all) {
        if (!s.all && !has_changed(each)) continue;
        if (each.plan != plan || each.name != name) {
            text += fmt::format("{}: {}\n", wire::printable(each.plan), wire::printable(each.name));
        }
        plan = each.plan;
        name = each.name;
        text += row_of(each, s.threshold, colour);
    }
    print(text);
}

void print_sum(const lab::changes& found, const compare_settings& s) {
    const auto count = [&found](auto is) { return std::ranges::count_if(found.all, is); };
    const auto of = [&count](comparison_outcome outcome) {
        return count([outcome](const lab::change& each) { return each.found.outcome == outcome; });
    };
    const auto regressed =
        count([&s](const lab::change& each) { return each.regressed(s.threshold); });
    auto sum = fmt::format(
        "{} of {} figures are better, {} worse ({} by more than {:.3g} %), {} no different",
        of(comparison_outcome::better), found.all.size(), of(comparison_outcome::worse), regressed,
        s.threshold * 100, of(comparison_outcome::tie));
    if (const auto unknown = of(comparison_outcome::unknown); unknown > 0) {
        sum += fmt::format(", {} cannot be told (too noisy, or too few rounds)", unknown);
    }
    print(wrapped(sum + '.', 0, text_columns));
    for (const auto& [names, where] :
         {std::pair{&found.only_before, &s.before}, std::pair{&found.only_after, &s.after}}) {
        if (names->empty()) continue;
        constexpr std::size_t enough = 3;
        std::string shown;
        for (std::size_t i = 0; i < std::min(names->size(), enough); ++i) {
            shown += (i > 0 ? "; " : "") + wire::printable((*names)[i]);
        }
        print(wrapped(
            fmt::format("Only in {}: {}{}.", in_quotes(*where), shown,
                        names->size() > enough ? fmt::format(" and {} more", names->size() - enough)
                                               : std::string{}),
            0, text_columns));
    }
}

exit_status compare(const compare_settings& s) {
    const auto before = read_report(s.before);
    if (!before) return announce_failure(before.error());
    const auto after = read_report(s.after);
    if (!after) return announce_failure(after.error());
    const auto found = lab::compare_runs(*before, *after);
    warn_of_interruption(s, *before, *after);
    if (warn_of_conditions(found) && !s.force) {
        return announce_failure(
            "two machines were measured, so what differs says nothing of sluice; --force "
            "compares them all the same");
    }
    if (found.all.empty()) {
        return announce_failure(
            fmt::format("{} and {} have no figure in common, so there is nothing to "
                        "compare; measure the same plan twice",
                        in_quotes(s.before), in_quotes(s.after)));
    }
    print_changes(found, s);
    print_sum(found, s);
    const bool regressed = std::ranges::any_of(
        found.all, [&s](const lab::change& each) { return each.regressed(s.threshold); });
    return regressed ? exit_status::failed : exit_status::done;
}

}  // namespace

void add_lab_compare(commands& all, CLI::App& lab) {
    auto* command = lab.add_subcommand("compare", "Say what changed from one run to another");
    auto s = std::make_shared<compare_settings>();
    command->add_option("BEFORE", s->before, "A report that --json FILE wrote")
        ->required()
        ->type_name("");
    command->add_option("AFTER", s->after, "Another, to be judged by it")
        ->required()
        ->type_name("");
    add_value(*command, "--threshold", s->threshold,
              percent_from{0, 1000, "is no share from 0% to 1000%; write 5%"}, "SHARE",
              "What worsening is a failure, beyond the noise (5%)");
    command->add_flag("--all", s->all, "Show what did not change, too");
    command->add_flag("--force", s->force, "Compare two machines all the same");
    command->footer(
        "Exit status 1 if anything became worse by more than the threshold. How much two runs "
        "differ\nby chance is not known from two of them: measure thrice before you believe it.");
    all.on(*command, [s] { return compare(*s); });
}

}  // namespace sluice::cli
