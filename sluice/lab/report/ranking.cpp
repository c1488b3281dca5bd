// Implements rank(): finds base and best, and compares each variant to both.
#include "sluice/lab/report/ranking.hpp"

#include <algorithm>

#include "sluice/lab/report/quantity.hpp"

namespace sluice::lab {
namespace {

bool beats(const estimate& one, const estimate& other, better which) {
    return which == better::lower ? one.median < other.median : one.median > other.median;
}

std::optional<std::size_t> best_of(const ranking& found) {
    if (found.which == better::neither) return std::nullopt;
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < found.rows.size(); ++i) {
        const auto& value = found.rows[i].value;
        if (value.count > 0 && (!best || beats(value, found.rows[*best].value, found.which)))
            best = i;
    }
    return best;
}

/// The percentile called `quantity` over all rounds, if its interval is known.
std::optional<estimate> pooled_of(const figure& row, std::string_view quantity,
                                  std::size_t rounds) {
    for (const auto& each : row.latencies) {
        if (each.high <= 0 || shown_share(each.share) != quantity) continue;
        return estimate{
            .median = each.seconds, .low = each.low, .high = each.high, .count = rounds};
    }
    return std::nullopt;
}

std::optional<std::size_t> first_of(const ranking& found) {
    const auto first =
        std::ranges::find_if(found.rows, [](const standing& each) { return each.value.count > 0; });
    if (first == found.rows.end()) return std::nullopt;
    return static_cast<std::size_t>(first - found.rows.begin());
}

}  // namespace

std::string_view name_of(place where) noexcept {
    switch (where) {
        case place::behind: break;
        case place::best: return "lead";
        case place::unsure: return "unsure";
    }
    return "other";
}

std::string told_outcome(const comparison& of) {
    switch (of.outcome) {
        case comparison_outcome::better:
        case comparison_outcome::worse: return {};
        case comparison_outcome::tie: return "no difference within " + shown_within(of.within());
        case comparison_outcome::unknown: break;
    }
    return of.has_interval ? "cannot tell" : "too few rounds: cannot tell";
}

const series* find_series(const figure& row, std::string_view name) {
    const auto found = std::ranges::find(row.quantities, name, &series::name);
    return found == row.quantities.end() ? nullptr : &*found;
}

bool ranking::is_sure() const noexcept {
    return std::ranges::none_of(rows,
                                [](const standing& each) { return each.where == place::unsure; });
}

comparison ranking::compare_ranked(const standing& one, const standing& other,
                                   const comparison_rules& rules) const {
    if (one.pooled && other.pooled) return compare(one.value, other.value, which, rules);
    return compare(one.ranked->samples, other.ranked->samples, which, rules);
}

std::size_t ranking::leaders() const noexcept {
    return static_cast<std::size_t>(std::ranges::count(rows, true, &standing::leads));
}

std::size_t ranking::side_by_side() const noexcept {
    const auto measured = static_cast<std::size_t>(
        std::ranges::count_if(rows, [](const standing& each) { return each.value.count > 0; }));
    return std::max<std::size_t>(measured, 2) - 1;
}

std::optional<comparison> ranking::compare_rows(std::size_t one, std::size_t other,
                                                std::string_view name) const {
    const auto* a = find_series(*rows[one].row, name);
    const auto* b = find_series(*rows[other].row, name);
    if (a == nullptr || b == nullptr || a->unit != b->unit) return std::nullopt;
    const comparison_rules rules{.side_by_side = side_by_side(),
                                 .usual_error = name == quantity ? error : usual_error(name)};
    if (name == quantity && rows[one].ranked != nullptr && rows[other].ranked != nullptr) {
        return compare_ranked(rows[one], rows[other], rules);
    }
    return compare(a->samples, b->samples, a->which, rules);
}

double ranking::usual_error(std::string_view name) const {
    constexpr std::size_t fewest = 3;
    const auto* other = base ? find_series(*rows[*base].row, name) : nullptr;
    if (other == nullptr) return 0;
    std::vector<double> errors;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto* one = i == *base ? nullptr : find_series(*rows[i].row, name);
        if (one == nullptr) continue;
        const bool ranked = name == quantity && rows[i].ranked != nullptr;
        const auto found = ranked ? compare_ranked(rows[i], rows[*base], {})
                                  : compare(one->samples, other->samples, one->which);
        if (found.has_interval) errors.push_back(found.error);
    }
    return errors.size() < fewest ? 0 : median_of(errors).median;
}

bool ranking::is_behind(std::size_t row) const {
    const auto pairs = side_by_side() * (side_by_side() + 1) / 2;
    return std::ranges::any_of(rows, [&](const standing& other) {
        return other.ranked != nullptr && &other != &rows[row] &&
               compare_ranked(rows[row], other, {.side_by_side = pairs, .usual_error = error})
                       .outcome == comparison_outcome::worse;
    });
}

std::optional<std::size_t> ranking::find(std::string_view variant) const {
    const auto found = std::ranges::find_if(rows, [variant](const standing& each) {
        return each.row->variant == variant && each.value.count > 0;
    });
    if (found == rows.end()) return std::nullopt;
    return static_cast<std::size_t>(found - rows.begin());
}

ranking rank(const test_case& from, baseline base) {
    ranking found;
    found.from = &from;
    const auto measured = std::ranges::find_if(
        from.figures, [](const figure& each) { return !each.quantities.empty(); });
    if (measured != from.figures.end()) {
        const auto& ranked = measured->quantities.front();
        found.quantity = ranked.name;
        found.unit = ranked.unit;
        found.which = ranked.which;
    }
    for (const auto& each : from.figures) {
        standing row;
        row.row = &each;
        if (const auto* ranked = find_series(each, found.quantity);
            ranked != nullptr && ranked->unit == found.unit) {
            row.ranked = ranked;
            row.value = median_of(ranked->samples);
            if (const auto pooled = pooled_of(each, found.quantity, row.value.count)) {
                row.value = *pooled;
                row.pooled = true;
            }
        }
        found.rows.push_back(row);
    }
    found.best = best_of(found);
    found.base = base == baseline::best && found.best ? found.best : first_of(found);
    found.error = found.usual_error(found.quantity);
    for (std::size_t i = 0; i < found.rows.size(); ++i) {
        auto& row = found.rows[i];
        if (row.value.count == 0) continue;
        row.to_base = *found.compare_rows(i, *found.base, found.quantity);
        if (!found.best) continue;
        row.to_best = *found.compare_rows(i, *found.best, found.quantity);
        // A noisy best variant does not show which variants are far behind; others do.
        row.leads = i == *found.best ||
                    (row.to_best.outcome != comparison_outcome::worse && !found.is_behind(i));
    }
    // A leader that may be ahead of the best, or far behind it, leaves open which variant is best.
    const bool sure = std::ranges::all_of(found.rows, [&found](const standing& each) {
        return !each.leads || &each == &found.rows[*found.best] ||
               each.to_best.outcome == comparison_outcome::tie;
    });
    for (auto& row : found.rows) {
        if (row.leads) row.where = sure ? place::best : place::unsure;
    }
    return found;
}

std::vector<std::string> other_quantities(const ranking& of) {
    std::vector<std::string> names;
    for (const auto& row : of.rows) {
        for (const auto& each : row.row->quantities) {
            if (each.name != of.quantity && std::ranges::find(names, each.name) == names.end()) {
                names.push_back(each.name);
            }
        }
    }
    return names;
}

}  // namespace sluice::lab
