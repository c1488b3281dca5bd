// Draws the order, watches the clock, and knows when it is enough.
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

/// A variant while its case runs.
struct shown_row {
    variant* of = nullptr;
    figure found;
    std::vector<histogram> latencies;  // a round each
    std::size_t rounds = 0;
    bool left_out = false;
};

void add_once(std::vector<std::string>& list, std::string text) {
    if (std::ranges::count(list, text) == 0) list.push_back(std::move(text));
}

void add(shown_row& to, sample taken) {
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
    for (auto& remark : taken.remarks) add_once(f.remarks, std::move(remark));
    if (f.load_command.empty()) {
        f.server_command = std::move(taken.server_command);
        f.load_command = std::move(taken.load_command);
    }
}

/// Of all rounds together; with its interval the one that the variants are ranked by, if they are.
std::vector<quantile> quantiles_of_rounds(const shown_row& of) {
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
    std::vector<std::pair<shown_row*, sample>> taken;
    double disturbance = 0;  ///< the largest of its samples, as disturbance::size() has it
};

class case_run {
 public:
    case_run(planned_case& what, const settings& asked, progress& told, noise& around,
             results& into, const time_source& now)
        : what_{what},
          asked_{asked},
          told_{told},
          noise_{around},
          into_{into},
          now_{now},
          name_{what.about.plan + ", " + what.about.name} {
        for (auto& each : what.variants) {
            rows_.push_back({.of = &each,
                             .found = {.variant = each.name,
                                       .server_command = {},
                                       .load_command = {},
                                       .quantities = {},
                                       .latencies = {},
                                       .errors = 0,
                                       .remarks = each.remarks},
                             .latencies = {}});
        }
    }

    /// One round more, or the first after a warm-up. One that was disturbed is put aside if another
    /// may be measured in place of it.
    void go_on(const limits& within, clock::time_point last, std::mt19937& chance) {
        if (measured() == 0) warm_up(chance);
        const auto begun = now_();
        auto one = take_round(chance);
        const auto now = now_();
        lasted_ = now - begun;
        if (one.taken.empty()) {
            stuck_ = true;
        } else if (one.disturbance > 1 && aside_.size() < within.repeated && now < last) {
            aside_.push_back(std::move(one));
        } else {
            count(one);
            precise_ = rounds_.counted >= within.fewest && is_precise();
        }
    }

    [[nodiscard]] bool is_enough(const limits& within, clock::time_point usual,
                                 clock::time_point last) const {
        const auto now = now_();
        if (stuck_ || rounds_.counted >= within.most) return true;
        // A round that would end too late is not begun.
        if (measured() > 0 && now + lasted_ >= last) return true;
        return precise_ || (rounds_.counted >= within.fewest && now >= usual);
    }

    /// Rounds, whether they count or not.
    [[nodiscard]] std::size_t measured() const noexcept { return rounds_.counted + aside_.size(); }
    [[nodiscard]] std::size_t counted() const noexcept { return rounds_.counted; }
    /// How many turns it has had whole, whether they count or not.
    [[nodiscard]] std::size_t turns() const noexcept { return measured() / what_.rounds_a_turn; }
    [[nodiscard]] std::size_t turns_counted() const noexcept {
        return counted() / what_.rounds_a_turn;
    }

    /// Writes it down.
    void end(const limits& within) {
        fill_up(within.fewest);
        keep();
    }

    /// Why the last variant that was left out was.
    [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

 private:
    [[nodiscard]] static bool is_interrupted() noexcept { return interruption::signal() != 0; }

    [[nodiscard]] std::vector<shown_row*> shuffled(std::mt19937& chance) {
        std::vector<shown_row*> order;
        for (auto& each : rows_) {
            if (!each.left_out) order.push_back(&each);
        }
        std::ranges::shuffle(order, chance);
        return order;
    }

    void warm_up(std::mt19937& chance) {
        const auto order = shuffled(chance);
        if (order.empty()) return;
        told_.show(name_ + ", warming up");
        if (auto taken = order.front()->of->take(); !taken)
            leave_out(*order.front(), taken.error());
    }

    void leave_out(shown_row& which, const std::string& why) {
        if (is_interrupted()) return;
        which.left_out = true;
        complaint_ = why;
        add_once(into_.warnings,
                 fmt::format("{}: {} was left out: {}.", what_.about.plan, which.of->name, why));
    }

    /// One of each; nothing if none is left, or it was interrupted.
    round take_round(std::mt19937& chance) {
        round made;
        for (auto* each : shuffled(chance)) {
            told_.show(fmt::format("{}: {}", name_, each->of->name));
            noise_.begin_sample();
            auto one = each->of->take();
            const auto seen = noise_.end_sample(one ? one->kept_off : 0);
            // What an interruption leaves of a round would not be comparable, but for the first.
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

    /// Counts what was put aside, the least disturbed first, until there are `fewest` rounds.
    void fill_up(std::size_t fewest) {
        std::ranges::sort(aside_, std::ranges::greater{}, &round::disturbance);
        while (rounds_.counted < fewest && !aside_.empty()) {
            count(aside_.back());
            aside_.pop_back();
        }
        rounds_.repeated = aside_.size();
    }

    [[nodiscard]] bool is_precise() const {
        return std::ranges::all_of(rows_, [&](const shown_row& each) {
            if (each.left_out || each.found.quantities.empty()) return true;
            return median_of(each.found.quantities.front().samples).spread() <= asked_.precision;
        });
    }

    void keep() {
        auto about = what_.about;
        about.rounds = rounds_;
        for (auto& each : rows_) {
            if (each.rounds == 0) continue;
            auto& f = each.found;
            // What could not be had every time is no series.
            std::erase_if(f.quantities,
                          [&](const series& s) { return s.samples.size() != each.rounds; });
            f.latencies = quantiles_of_rounds(each);
            about.figures.push_back(std::move(f));
        }
        if (!about.figures.empty()) into_.cases.push_back(std::move(about));
    }

    planned_case& what_;
    const settings& asked_;
    progress& told_;
    noise& noise_;
    results& into_;
    const time_source& now_;
    std::vector<shown_row> rows_;
    std::vector<round> aside_;  // disturbed ones, each of which was repeated
    round_count rounds_;
    clock::duration lasted_{};  // the last round
    bool stuck_ = false;        // it has nothing more to give
    bool precise_ = false;
    std::string name_;
    std::string complaint_;
};

/// The case that is to have the next round: one with the fewest, and of those one in which a round
/// was disturbed; nullptr when all have enough. So what lasts a minute disturbs a round of each
/// case and not every round of one, all of them have as many, however long a round of theirs
/// takes, and what is repeated is seldom repeated in the same minute.
case_run* next_of(std::deque<case_run>& runs, const limits& within, clock::time_point usual,
                  clock::time_point last) {
    case_run* next = nullptr;
    const auto behind = [](const case_run& one, const case_run& other) {
        return std::pair{one.turns(), one.turns_counted()} <
               std::pair{other.turns(), other.turns_counted()};
    };
    for (auto& each : runs) {
        if (each.is_enough(within, usual, last)) continue;
        if (next == nullptr || behind(each, *next)) next = &each;
    }
    return next;
}

/// Of the rounds that there may be.
double share_done(const std::deque<case_run>& runs, const limits& within) {
    double counted = 0;
    for (const auto& each : runs) counted += static_cast<double>(each.counted());
    return counted / static_cast<double>(runs.size() * within.most);
}

/// What is to be said of rounds in which something else had the machine.
void judge_rounds(results& found) {
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

/// What is to be said of how sure the figures are.
void judge_precision(const settings& asked, results& found) {
    constexpr std::size_t few = 5;
    std::size_t all = 0;
    std::size_t short_of_rounds = 0;
    std::size_t vague = 0;
    for (const auto& each : found.cases) {
        for (const auto& f : each.figures) {
            if (f.quantities.empty()) continue;
            ++all;
            const auto median = median_of(f.quantities.front().samples);
            if (median.count < few) ++short_of_rounds;
            if (median.spread() > asked.precision) ++vague;
        }
    }
    if (short_of_rounds > 0) {
        found.warnings.push_back(
            fmt::format("{} of {} figures rest on fewer than {} rounds: their intervals are wide, "
                        "and small differences go unseen; give the lab more time.",
                        short_of_rounds, all, few));
    }
    if (vague > 0) {
        found.warnings.push_back(fmt::format(
            "Of {} of {} figures the median is not known to within {:.0f} %: see their intervals.",
            vague, all, asked.precision * 100));
    }
}

}  // namespace

limits limits_of(const settings& asked, std::size_t cases) {
    using seconds = std::chrono::duration<double>;
    const auto many = static_cast<double>(cases);
    limits found;
    switch (asked.how) {
        case effort::quick:
            found = {.fewest = 5,
                     .most = 9,
                     .repeated = 2,
                     .usual = seconds{std::min(90.0, many * 7)},
                     .longest = seconds{105}};
            break;
        case effort::normal:
            found = {.fewest = 5,
                     .most = 25,
                     .repeated = 4,
                     .usual = seconds{std::min(780.0, many * 30)},
                     .longest = seconds{840}};
            break;
        case effort::full:
            found = {.fewest = 9,
                     .most = 51,
                     .repeated = 9,
                     .usual = seconds{many * 90},
                     .longest = seconds{many * 180}};
            break;
    }
    if (asked.repeat) {
        found.fewest = *asked.repeat;
        found.most = *asked.repeat;
        found.usual = found.longest = seconds{std::chrono::hours{24 * 365}};
    }
    return found;
}

std::expected<void, std::string> measure(std::vector<planned_case>& cases, const limits& within,
                                         const settings& asked, progress& told, noise& around,
                                         results& into, const time_source& now) {
    const auto begun = now();
    const auto usual = begun + in_ticks(within.usual);
    const auto last = begun + in_ticks(within.longest);
    std::mt19937 chance{std::random_device{}()};
    // Rows point into their cases' variants, and rounds into rows: neither may move.
    std::deque<case_run> runs;
    for (auto& each : cases) runs.emplace_back(each, asked, told, around, into, now);
    while (interruption::signal() == 0) {
        auto* next = next_of(runs, within, usual, last);
        if (next == nullptr) break;
        told.begin_round(next->counted() + 1, share_done(runs, within));
        next->go_on(within, last, chance);
    }
    std::string complaint;
    for (auto& each : runs) {
        each.end(within);
        if (!each.complaint().empty()) complaint = each.complaint();
    }
    into.interrupted = interruption::signal() != 0;
    if (into.cases.empty() && !into.interrupted) return std::unexpected{complaint};
    for (auto& each : around.warnings()) into.warnings.push_back(std::move(each));
    judge_rounds(into);
    judge_precision(asked, into);
    return {};
}

}  // namespace sluice::lab
