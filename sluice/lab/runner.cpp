// Implements measure(): runs rounds in random order until the medians are precise or time is up.
#include "sluice/lab/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <random>
#include <utility>

#include "sluice/lab/case_run.hpp"
#include "sluice/lab/interruption.hpp"
#include "sluice/lab/statistics.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::lab {
namespace {

using io::clock;

clock::duration in_ticks(std::chrono::duration<double> d) {
    return std::chrono::duration_cast<clock::duration>(d);
}

/// The case that gets the next round: one with the fewest turns, and among those one with the
/// fewest counted; nullptr when all are done. So a disturbance of a minute hits one round of every
/// case instead of every round of one case, all cases get equally many rounds however long a round
/// takes, and a repeated round seldom falls into the same minute.
case_run* next_of(std::deque<case_run>& runs, const limits& within, clock::time_point usual,
                  clock::time_point deadline) {
    case_run* next = nullptr;
    const auto behind = [](const case_run& one, const case_run& other) {
        return std::pair{one.turns(), one.turns_counted()} <
               std::pair{other.turns(), other.turns_counted()};
    };
    for (auto& each : runs) {
        if (each.is_enough(within, usual, deadline)) continue;
        if (next == nullptr || behind(each, *next)) next = &each;
    }
    return next;
}

/// The share of the maximum number of rounds that is done.
double share_done(const std::deque<case_run>& runs, const limits& within) {
    double counted = 0;
    for (const auto& each : runs) counted += static_cast<double>(each.counted());
    return counted / static_cast<double>(runs.size() * within.most);
}

/// Adds warnings about disturbed rounds.
void warn_of_disturbed_rounds(results& found) {
    round_count all;
    for (const auto& each : found.cases) {
        all.counted += each.rounds.counted;
        all.disturbed += each.rounds.disturbed;
        all.repeated += each.rounds.repeated;
    }
    if (all.repeated > 0) {
        found.warnings.push_back(
            fmt::format("{} rounds were disturbed and do not count: others were measured in place "
                        "of them.",
                        all.repeated));
    }
    if (all.disturbed > 0) {
        found.warnings.push_back(
            fmt::format("{} of {} rounds that count were disturbed: there was no time for others "
                        "in place of them, or those were no better.",
                        all.disturbed, all.counted));
    }
}

/// Adds warnings about imprecise figures.
void warn_of_imprecision(const settings& config, results& found) {
    constexpr std::size_t few = 5;
    std::size_t all = 0;
    std::size_t short_of_rounds = 0;
    std::size_t imprecise = 0;
    for (const auto& each : found.cases) {
        for (const auto& f : each.figures) {
            if (f.quantities.empty()) continue;
            ++all;
            const auto median = median_of(f.quantities.front().samples);
            if (median.count < few) ++short_of_rounds;
            if (median.spread() > config.precision) ++imprecise;
        }
    }
    if (short_of_rounds > 0) {
        found.warnings.push_back(
            fmt::format("{} of {} figures rest on fewer than {} rounds: their intervals are wide, "
                        "and small differences go unseen; give the lab more time.",
                        short_of_rounds, all, few));
    }
    if (imprecise > 0) {
        found.warnings.push_back(fmt::format(
            "Of {} of {} figures the median is not known to within {:.0f} %: see their intervals.",
            imprecise, all, config.precision * 100));
    }
}

}  // namespace

limits limits_of(const settings& config, std::size_t cases) {
    using seconds = std::chrono::duration<double>;
    const auto case_count = static_cast<double>(cases);
    limits found;
    switch (config.how) {
        case run_length::quick:
            found = {.fewest = 5,
                     .most = 9,
                     .repeated = 2,
                     .usual = seconds{std::min(90.0, case_count * 7)},
                     .longest = seconds{105}};
            break;
        case run_length::normal:
            found = {.fewest = 5,
                     .most = 25,
                     .repeated = 4,
                     .usual = seconds{std::min(780.0, case_count * 30)},
                     .longest = seconds{840}};
            break;
        case run_length::full:
            found = {.fewest = 9,
                     .most = 51,
                     .repeated = 9,
                     .usual = seconds{case_count * 90},
                     .longest = seconds{case_count * 180}};
            break;
    }
    if (config.repeat) {
        found.fewest = *config.repeat;
        found.most = *config.repeat;
        found.usual = found.longest = seconds{std::chrono::hours{24 * 365}};
    }
    return found;
}

std::expected<void, std::string> measure(std::vector<planned_case>& cases, const limits& within,
                                         const settings& config, progress& display, noise& monitor,
                                         results& into, const time_source& now) {
    const auto begun = now();
    const auto usual = begun + in_ticks(within.usual);
    const auto deadline = begun + in_ticks(within.longest);
    std::mt19937 random{static_cast<std::mt19937::result_type>(os::sys().random())};
    // A case_run cannot move.
    std::deque<case_run> runs;
    for (auto& each : cases) runs.emplace_back(each, config, display, monitor, into, now);
    while (interruption::signal() == 0) {
        auto* next = next_of(runs, within, usual, deadline);
        if (next == nullptr) break;
        display.begin_round(next->counted() + 1, share_done(runs, within));
        next->measure_round(within, deadline, random);
    }
    std::string last_error;
    for (auto& each : runs) {
        each.end(within);
        if (!each.last_error().empty()) last_error = each.last_error();
    }
    into.interrupted = interruption::signal() != 0;
    if (into.cases.empty() && !into.interrupted) return std::unexpected{last_error};
    for (auto& each : monitor.warnings()) into.warnings.push_back(std::move(each));
    warn_of_disturbed_rounds(into);
    warn_of_imprecision(config, into);
    return {};
}

}  // namespace sluice::lab
