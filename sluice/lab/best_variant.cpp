// Implements best_variant_of(): highest rate first, then lowest server CPU among equal rates.
#include "sluice/lab/best_variant.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "sluice/lab/statistics.hpp"

namespace sluice::lab {
namespace {

const series* find(const test_case& in, std::string_view variant, std::string_view quantity) {
    const auto row = std::ranges::find(in.figures, variant, &figure::variant);
    if (row == in.figures.end()) return nullptr;
    const auto found = std::ranges::find(row->quantities, quantity, &series::name);
    return found == row->quantities.end() || found->samples.empty() ? nullptr : &*found;
}

std::vector<const test_case*> cases_of(const results& found, std::string_view plan) {
    std::vector<const test_case*> all;
    for (const auto& each : found.cases) {
        if (each.plan == plan && !each.figures.empty()) all.push_back(&each);
    }
    return all;
}

/// Mean logarithm of the medians over all cases; empty if a case lacks the quantity or its median
/// is not above 0.
std::optional<double> mean_log(const std::vector<const test_case*>& cases, std::string_view variant,
                               std::string_view quantity) {
    double sum = 0;
    for (const auto* each : cases) {
        const auto* samples = find(*each, variant, quantity);
        if (samples == nullptr) return std::nullopt;
        const double median = median_of(samples->samples).median;
        if (!(median > 0)) return std::nullopt;
        sum += std::log(median);
    }
    return sum / static_cast<double>(cases.size());
}

bool is_level(const std::vector<const test_case*>& cases, std::string_view one,
              std::string_view other) {
    return std::ranges::all_of(cases, [&](const test_case* each) {
        const auto* a = find(*each, one, "rate");
        const auto* b = find(*each, other, "rate");
        return a != nullptr && b != nullptr &&
               compare(a->samples, b->samples, a->which).outcome == comparison_outcome::tie;
    });
}

}  // namespace

std::optional<std::string> best_variant_of(const results& found, std::string_view plan) {
    const auto cases = cases_of(found, plan);
    if (cases.empty()) return std::nullopt;
    std::optional<std::string> best;
    double most = -std::numeric_limits<double>::infinity();
    for (const auto& row : cases.front()->figures) {
        const auto rate = mean_log(cases, row.variant, "rate");
        if (!rate || *rate <= most) continue;
        most = *rate;
        best = row.variant;
    }
    if (!best) return std::nullopt;
    const auto fastest = *best;
    auto least = mean_log(cases, fastest, "server CPU");
    for (const auto& row : cases.front()->figures) {
        const auto cpu = mean_log(cases, row.variant, "server CPU");
        if (!cpu || !least || *cpu >= *least || !is_level(cases, row.variant, fastest)) continue;
        least = cpu;
        best = row.variant;
    }
    return best;
}

}  // namespace sluice::lab
