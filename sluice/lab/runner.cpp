// Implements measure(): runs rounds in random order until the medians are precise or time is up.
#include "sluice/lab/runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <random>
#include <utility>

#include "sluice/lab/interruption.hpp"
#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/statistics.hpp"

namespace sluice::lab {
namespace {

using clock = std::chrono::steady_clock;

clock::duration in_ticks(std::chrono::duration<double> d) {
    return std::chrono::duration_cast<clock::duration>(d);
}

/// The measurements of one variant while its case runs.
struct variant_run {
    variant* source = nullptr;
    figure found;
    std::vector<histogram> latencies;  // an entry per round
    std::size_t rounds = 0;
    bool left_out = false;
};

void add_once(std::vector<std::string>& list, std::string text) {
    if (std::ranges::count(list, text) == 0) list.push_back(std::move(text));
}

void add(variant_run& to, sample taken) {
    ++to.rounds;
    auto& f = to.found;
    for (const auto& q : taken.quantities) {
        auto known = std::ranges::find(f.quantities, q.name, &series::name);
        if (known == f.quantities.end()) {
            f.quantities.push_back(
                {.name = q.name, .unit = q.unit, .which = q.which, .samples = {}});
            known = std::prev(f.quantities.end());
        }
        known->samples.push_back(q.value);
    }
    to.latencies.push_back(std::move(taken.latencies));
    f.errors += taken.errors;
    for (auto& each : taken.footnotes) add_once(f.footnotes, std::move(each));
    if (f.load_command.empty()) {
        f.server_command = std::move(taken.server_command);
        f.load_command = std::move(taken.load_command);
    }
}

/// Quantiles over all rounds together; the quantile that variants are ranked by has its interval.
std::vector<quantile> quantiles_of_rounds(const variant_run& of) {
    histogram all;
    for (const auto& each : of.latencies) all.add(each);
    auto found = quantiles_of(all);
    for (auto& each : found) {
        if (of.found.quantities.empty() ||
            of.found.quantities.front().name != shown_share(each.share)) {
            continue;
        }
        const auto known = pooled_quantile(of.latencies, each.share);
        each.low = known.low;
        each.high = known.high;
    }
    return found;
}

/// One sample of each variant.
struct round {
    std::vector<std::pair<variant_run*, sample>> taken;
    double disturbance = 0;  ///< the largest disturbance::size() of its samples
};

class case_run {
 public:
    case_run(planned_case& planned, const settings& config, progress& display, noise& monitor,
             results& into, const time_source& now)
        : planned_{planned},
          config_{config},
          display_{display},
          noise_{monitor},
          into_{into},
          now_{now},
          name_{planned.about.plan + ", " + planned.about.name} {
        for (auto& each : planned.variants) {
            rows_.push_back({.source = &each,
                             .found = {.variant = each.name,
                                       .server_command = {},
                                       .load_command = {},
                                       .quantities = {},
                                       .latencies = {},
                                       .errors = 0,
                                       .footnotes = each.footnotes},
                             .latencies = {}});
        }
    }

    /// Measures another round, the first after a warm-up. Sets a disturbed round aside while the
    /// case may still repeat rounds.
    void measure_round(const limits& within, clock::time_point deadline, std::mt19937& random) {
        if (measured() == 0) warm_up(random);
        const auto begun = now_();
        auto one = take_round(random);
        const auto now = now_();
        last_duration_ = now - begun;
        if (one.taken.empty()) {
            exhausted_ = true;
        } else if (one.disturbance > 1 && disturbed_rounds_.size() < within.repeated &&
                   now < deadline) {
            disturbed_rounds_.push_back(std::move(one));
        } else {
            count(one);
            precise_ = rounds_.counted >= within.fewest && is_precise();
        }
    }

    [[nodiscard]] bool is_enough(const limits& within, clock::time_point usual,
                                 clock::time_point deadline) const {
        const auto now = now_();
        if (exhausted_ || rounds_.counted >= within.most) return true;
        // No round starts that would end after the deadline.
        if (measured() > 0 && now + last_duration_ >= deadline) return true;
        return precise_ || (rounds_.counted >= within.fewest && now >= usual);
    }

    /// Rounds measured so far, counted or set aside.
    [[nodiscard]] std::size_t measured() const noexcept {
        return rounds_.counted + disturbed_rounds_.size();
    }
    [[nodiscard]] std::size_t counted() const noexcept { return rounds_.counted; }
    /// Complete turns, counted or not.
    [[nodiscard]] std::size_t turns() const noexcept { return measured() / planned_.rounds_a_turn; }
    [[nodiscard]] std::size_t turns_counted() const noexcept {
        return counted() / planned_.rounds_a_turn;
    }

    /// Counts set-aside rounds if too few others count, and appends the case to the results.
    void end(const limits& within) {
        fill_up(within.fewest);
        write_case();
    }

    /// The error of the last variant that was left out.
    [[nodiscard]] const std::string& last_error() const noexcept { return last_error_; }

 private:
    [[nodiscard]] static bool is_interrupted() noexcept { return interruption::signal() != 0; }

    [[nodiscard]] std::vector<variant_run*> shuffled(std::mt19937& random) {
        std::vector<variant_run*> order;
        for (auto& each : rows_) {
            if (!each.left_out) order.push_back(&each);
        }
        std::ranges::shuffle(order, random);
        return order;
    }

    void warm_up(std::mt19937& random) {
        const auto order = shuffled(random);
        if (order.empty()) return;
        display_.show(name_ + ", warming up");
        if (auto taken = order.front()->source->take(); !taken)
            leave_out(*order.front(), taken.error());
    }

    void leave_out(variant_run& which, const std::string& why) {
        if (is_interrupted()) return;
        which.left_out = true;
        last_error_ = why;
        add_once(into_.warnings, fmt::format("{}: {} was left out: {}.", planned_.about.plan,
                                             which.source->name, why));
    }

    /// A sample of every variant; empty if no variant is left or a signal interrupted the round.
    round take_round(std::mt19937& random) {
        round made;
        for (auto* each : shuffled(random)) {
            display_.show(fmt::format("{}: {}", name_, each->source->name));
            noise_.begin_sample();
            auto one = each->source->take();
            const auto seen = noise_.end_sample(one ? one->run_queue_wait : 0);
            // An interrupted round is not comparable and is dropped, unless it is the first.
            if (is_interrupted() && measured() > 0) return {};
            if (one) {
                made.taken.emplace_back(each, std::move(*one));
                made.disturbance = std::max(made.disturbance, seen.size());
            } else {
                leave_out(*each, one.error());
            }
            if (is_interrupted()) break;
        }
        return made;
    }

    void count(round& one) {
        for (auto& [which, taken] : one.taken) add(*which, std::move(taken));
        ++rounds_.counted;
        if (one.disturbance > 1) ++rounds_.disturbed;
    }

    /// Counts set-aside rounds, the least disturbed first, until `fewest` rounds count.
    void fill_up(std::size_t fewest) {
        std::ranges::sort(disturbed_rounds_, std::ranges::greater{}, &round::disturbance);
        while (rounds_.counted < fewest && !disturbed_rounds_.empty()) {
            count(disturbed_rounds_.back());
            disturbed_rounds_.pop_back();
        }
        rounds_.repeated = disturbed_rounds_.size();
    }

    [[nodiscard]] bool is_precise() const {
        return std::ranges::all_of(rows_, [&](const variant_run& each) {
            if (each.left_out || each.found.quantities.empty()) return true;
            return median_of(each.found.quantities.front().samples).spread() <= config_.precision;
        });
    }

    void write_case() {
        auto about = planned_.about;
        about.rounds = rounds_;
        for (auto& each : rows_) {
            if (each.rounds == 0) continue;
            auto& f = each.found;
            // A quantity that some rounds lack is no series.
            std::erase_if(f.quantities,
                          [&](const series& s) { return s.samples.size() != each.rounds; });
            f.latencies = quantiles_of_rounds(each);
            about.figures.push_back(std::move(f));
        }
        if (!about.figures.empty()) into_.cases.push_back(std::move(about));
    }

    planned_case& planned_;
    const settings& config_;
    progress& display_;
    noise& noise_;
    results& into_;
    const time_source& now_;
    std::vector<variant_run> rows_;
    std::vector<round> disturbed_rounds_;  // disturbed rounds, each repeated
    round_count rounds_;
    clock::duration last_duration_{};  // of the last round
    bool exhausted_ = false;           // its last round had no sample
    bool precise_ = false;
    std::string name_;
    std::string last_error_;
};

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
    std::mt19937 random{std::random_device{}()};
    // variant_run points into the variants of a case, and round into variant_run: neither may move.
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
