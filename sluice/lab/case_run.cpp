// Implements case_run: warms up, takes a sample of each variant, and counts or repeats the round.
#include "sluice/lab/case_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "sluice/lab/interruption.hpp"
#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/statistics.hpp"

namespace sluice::lab {
namespace {

void add_once(std::vector<std::string>& list, std::string text) {
    if (std::ranges::count(list, text) == 0) list.push_back(std::move(text));
}

bool is_interrupted() noexcept {
    return interruption::signal() != 0;
}

}  // namespace

void case_run::variant_run::add(sample taken) {
    ++rounds;
    auto& f = found;
    for (const auto& q : taken.quantities) {
        auto known = std::ranges::find(f.quantities, q.name, &series::name);
        if (known == f.quantities.end()) {
            f.quantities.push_back(
                {.name = q.name, .unit = q.unit, .which = q.which, .samples = {}});
            known = std::prev(f.quantities.end());
        }
        known->samples.push_back(q.value);
    }
    latencies.push_back(std::move(taken.latencies));
    f.errors += taken.errors;
    for (auto& each : taken.footnotes) add_once(f.footnotes, std::move(each));
    if (f.load_command.empty()) {
        f.server_command = std::move(taken.server_command);
        f.load_command = std::move(taken.load_command);
    }
}

/// Quantiles over all rounds together; the quantile that variants are ranked by has its interval.
std::vector<quantile> case_run::variant_run::quantiles() const {
    histogram all;
    for (const auto& each : latencies) all.add(each);
    auto known = quantiles_of(all);
    for (auto& each : known) {
        if (found.quantities.empty() || found.quantities.front().name != shown_share(each.share)) {
            continue;
        }
        const auto pooled = pooled_quantile(latencies, each.share);
        each.low = pooled.low;
        each.high = pooled.high;
    }
    return known;
}

case_run::case_run(planned_case& planned, const settings& config, progress& display, noise& monitor,
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

void case_run::measure_round(const limits& within, clock::time_point deadline,
                             std::mt19937& random) {
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

bool case_run::is_enough(const limits& within, clock::time_point usual,
                         clock::time_point deadline) const {
    const auto now = now_();
    if (exhausted_ || rounds_.counted >= within.most) return true;
    // No round starts that would end after the deadline.
    if (measured() > 0 && now + last_duration_ >= deadline) return true;
    return precise_ || (rounds_.counted >= within.fewest && now >= usual);
}

void case_run::end(const limits& within) {
    fill_up(within.fewest);
    write_case();
}

std::vector<case_run::variant_run*> case_run::shuffled(std::mt19937& random) {
    std::vector<variant_run*> order;
    for (auto& each : rows_) {
        if (!each.left_out) order.push_back(&each);
    }
    std::ranges::shuffle(order, random);
    return order;
}

void case_run::warm_up(std::mt19937& random) {
    const auto order = shuffled(random);
    if (order.empty()) return;
    display_.show(name_ + ", warming up");
    if (auto taken = order.front()->source->take(); !taken)
        leave_out(*order.front(), taken.error());
}

void case_run::leave_out(variant_run& which, const std::string& why) {
    if (is_interrupted()) return;
    which.left_out = true;
    last_error_ = why;
    add_once(into_.warnings,
             fmt::format("{}: {} was left out: {}.", planned_.about.plan, which.source->name, why));
}

/// A sample of every variant; empty if no variant is left or a signal interrupted the round.
case_run::round case_run::take_round(std::mt19937& random) {
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

void case_run::count(round& one) {
    for (auto& [which, taken] : one.taken) which->add(std::move(taken));
    ++rounds_.counted;
    if (one.disturbance > 1) ++rounds_.disturbed;
}

/// Counts set-aside rounds, the least disturbed first, until `fewest` rounds count.
void case_run::fill_up(std::size_t fewest) {
    std::ranges::sort(disturbed_rounds_, std::ranges::greater{}, &round::disturbance);
    while (rounds_.counted < fewest && !disturbed_rounds_.empty()) {
        count(disturbed_rounds_.back());
        disturbed_rounds_.pop_back();
    }
    rounds_.repeated = disturbed_rounds_.size();
}

bool case_run::is_precise() const {
    return std::ranges::all_of(rows_, [&](const variant_run& each) {
        if (each.left_out || each.found.quantities.empty()) return true;
        return median_of(each.found.quantities.front().samples).spread() <= config_.precision;
    });
}

void case_run::write_case() {
    auto about = planned_.about;
    about.rounds = rounds_;
    for (auto& each : rows_) {
        if (each.rounds == 0) continue;
        auto& f = each.found;
        // A quantity that some rounds lack is no series.
        std::erase_if(f.quantities,
                      [&](const series& s) { return s.samples.size() != each.rounds; });
        f.latencies = each.quantiles();
        about.figures.push_back(std::move(f));
    }
    if (!about.figures.empty()) into_.cases.push_back(std::move(about));
}

}  // namespace sluice::lab
