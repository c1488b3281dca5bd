// Implements compare_runs(): matches the cases, variants and quantities of two runs.
#include "sluice/lab/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace sluice::lab {
namespace {

using figure_key = std::tuple<std::string_view, std::string_view, std::string_view>;
using figures = std::map<figure_key, const figure*>;

figures figures_of(const results& found) {
    figures all;
    for (const auto& one : found.cases) {
        for (const auto& each : one.figures) {
            all.try_emplace({one.plan, one.name, each.variant}, &each);
        }
    }
    return all;
}

std::string figure_name(const test_case& one, const figure& each) {
    return fmt::format("{}, {}: {}", one.plan, one.name, each.variant);
}

/// The names of the figures of `one` that `other` lacks.
std::vector<std::string> missing(const results& one, const figures& other) {
    std::vector<std::string> names;
    for (const auto& each : one.cases) {
        for (const auto& row : each.figures) {
            if (!other.contains({each.plan, each.name, row.variant})) {
                names.push_back(figure_name(each, row));
            }
        }
    }
    return names;
}

void compare_facts(const results& before, const results& after, changes& into) {
    const auto add_pair = [&into](const fact& one, const fact& other) {
        auto& list = one.must_match || other.must_match ? into.mismatches : into.differences;
        list.push_back({one, other});
    };
    const auto matching_fact = [](const results& run, const fact& of) -> const fact* {
        const auto found = std::ranges::find_if(run.environment, [&of](const fact& each) {
            return each.topic == of.topic && each.name == of.name;
        });
        return found == run.environment.end() ? nullptr : &*found;
    };
    for (const auto& one : before.environment) {
        const auto* other = matching_fact(after, one);
        if (other == nullptr) {
            add_pair(one, {one.topic, one.name, {}, one.must_match});
        } else if (other->value != one.value) {
            add_pair(one, *other);
        }
    }
    for (const auto& other : after.environment) {
        if (matching_fact(before, other) == nullptr) {
            add_pair({other.topic, other.name, {}, other.must_match}, other);
        }
    }
}

const series* matching_series(const series& of, const figure& in) {
    const auto found = std::ranges::find_if(in.quantities, [&of](const series& each) {
        return each.name == of.name && each.unit == of.unit;
    });
    return found == in.quantities.end() ? nullptr : &*found;
}

}  // namespace

bool change::regressed(double threshold) const noexcept {
    if (found.outcome != comparison_outcome::worse) return false;
    return found.ratio >= 1 + threshold || found.ratio <= 1 - threshold;
}

changes compare_runs(const results& before, const results& after) {
    changes made;
    compare_facts(before, after, made);
    const auto before_figures = figures_of(before);
    const auto after_figures = figures_of(after);
    made.only_before = missing(before, after_figures);
    made.only_after = missing(after, before_figures);
    std::vector<std::pair<const series*, const series*>> pairs;
    for (const auto& one : before.cases) {
        for (const auto& row : one.figures) {
            const figure_key key{one.plan, one.name, row.variant};
            const auto match = after_figures.find(key);
            // Of several figures with one name, only the first is compared.
            if (match == after_figures.end() || before_figures.at(key) != &row) continue;
            for (const auto& each : row.quantities) {
                const auto* other = matching_series(each, *match->second);
                if (other == nullptr || each.which == better::neither) continue;
                pairs.emplace_back(&each, other);
                made.all.push_back({.plan = one.plan,
                                    .name = one.name,
                                    .variant = row.variant,
                                    .quantity = each.name,
                                    .unit = each.unit,
                                    .before = median_of(each.samples),
                                    .after = median_of(other->samples),
                                    .found = {}});
            }
        }
    }
    const comparison_rules rules{.side_by_side = pairs.size(), .may_pair = false};
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto& [one, other] = pairs[i];
        made.all[i].found = compare(other->samples, one->samples, one->which, rules);
    }
    return made;
}

}  // namespace sluice::lab
