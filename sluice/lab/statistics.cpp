// Implements the lab's statistics: bootstrap medians, comparisons; Student's t is Boost's.
#include "sluice/lab/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/math/distributions/complement.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/policies/policy.hpp>

namespace sluice::lab {
namespace {

constexpr std::size_t resamples = 2000;
/// Enough for a standard error, which needs no tails.
constexpr std::size_t fewer_resamples = 800;
constexpr double confidence = 0.95;

/// SplitMix64 (S. Vigna, prng.di.unimi.it): yields the same numbers on every machine; the
/// distributions of the standard library do not.
class splitmix64 {
 public:
    explicit splitmix64(std::uint64_t seed) noexcept : state_{seed} {}

    /// A number below `limit`. The bias is negligible, for `limit` is small.
    std::size_t below(std::size_t limit) noexcept {
        state_ += 0x9e3779b97f4a7c15U;
        auto mixed = state_;
        mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
        mixed ^= mixed >> 31U;
        return static_cast<std::size_t>((mixed >> 32U) * limit >> 32U);
    }

 private:
    std::uint64_t state_;
};

constexpr std::uint64_t seed = 20260301;

/// The median of `values`, which must not be empty; reorders them.
double median_in_place(std::span<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    if (values.size() % 2 == 1) return *middle;
    return std::midpoint(*std::max_element(values.begin(), middle), *middle);
}

double median(std::vector<double> values) {
    return median_in_place(values);
}

/// The medians of `count` resamples of `values`, drawn with replacement.
std::vector<double> medians_of_resamples(std::span<const double> values, std::size_t count) {
    splitmix64 random{seed};
    std::vector<double> drawn(values.size());
    std::vector<double> medians(count);
    for (auto& each : medians) {
        for (auto& value : drawn) value = values[random.below(values.size())];
        each = median_in_place(drawn);
    }
    return medians;
}

/// The standard deviation of the medians of resamples.
double standard_error(std::span<const double> values) {
    const auto medians = medians_of_resamples(values, fewer_resamples);
    const auto n = static_cast<double>(medians.size());
    double mean = 0;
    for (const auto each : medians) mean += each / n;
    double squares = 0;
    for (const auto each : medians) squares += (each - mean) * (each - mean);
    return std::sqrt(squares / (n - 1));
}

/// Returns NaN or infinity where Boost would throw.
using student = boost::math::students_t_distribution<
    double, boost::math::policies::policy<
                boost::math::policies::domain_error<boost::math::policies::ignore_error>,
                boost::math::policies::overflow_error<boost::math::policies::ignore_error>,
                boost::math::policies::evaluation_error<boost::math::policies::ignore_error>>>;

double normal_below(double z) {
    return std::erfc(-z / std::numbers::sqrt2) / 2;
}

std::vector<double> finite_of(std::span<const double> samples) {
    std::vector<double> kept;
    std::ranges::copy_if(samples, std::back_inserter(kept),
                         [](double each) { return std::isfinite(each); });
    return kept;
}

/// The logarithms of the samples that are finite and positive.
std::vector<double> logarithms_of(std::span<const double> samples) {
    std::vector<double> logs;
    for (const auto each : samples) {
        if (std::isfinite(each) && each > 0) logs.push_back(std::log(each));
    }
    return logs;
}

std::vector<double> log_ratios_of(std::span<const double> one, std::span<const double> other) {
    std::vector<double> logs;
    for (std::size_t i = 0; i < one.size(); ++i) {
        const auto ratio = one[i] / other[i];
        if (one[i] > 0 && other[i] > 0 && std::isfinite(ratio) && ratio > 0) {
            logs.push_back(std::log(ratio));
        }
    }
    return logs;
}

/// A ratio from its logarithm, clamped to the range of double.
double ratio_of(double logarithm) {
    constexpr double widest = 300;
    return std::exp(std::clamp(logarithm, -widest, widest));
}

comparison_outcome outcome_of(const comparison& found, better which,
                              const comparison_rules& rules) {
    const bool sure = found.low > 1 || found.high < 1;
    const bool large = found.ratio >= 1 + rules.least || found.ratio <= 1 / (1 + rules.least);
    if (!sure || !large) {
        return found.within() <= rules.same ? comparison_outcome::tie : comparison_outcome::unknown;
    }
    const bool more = found.ratio > 1;
    return more == (which != better::lower) ? comparison_outcome::better
                                            : comparison_outcome::worse;
}

/// Compares samples without logarithms: equal intervals are a tie; everything else is unknown.
comparison compare_without_logarithms(std::span<const double> one, std::span<const double> other) {
    const auto a = median_of(one);
    const auto b = median_of(other);
    comparison found;
    if (a.count == 0 || b.count == 0) return found;
    if (a.low == b.low && a.high == b.high && a.median == b.median) {
        found.outcome = comparison_outcome::tie;
    } else if (a.median > 0 && b.median > 0) {
        found.ratio = found.low = found.high = ratio_of(std::log(a.median) - std::log(b.median));
    }
    return found;
}

constexpr std::size_t fewest = 3;

/// The bounds of the interval in `sorted` resamples, expanded for few `samples`.
std::pair<double, double> interval_of(const std::vector<double>& sorted, std::size_t samples) {
    const auto n = static_cast<double>(samples);
    const auto share =
        normal_below(-std::sqrt(n / (n - 1)) * student_quantile((1 - confidence) / 2, n - 1));
    const auto skipped = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
    return {sorted[skipped], sorted[sorted.size() - 1 - skipped]};
}

/// The logarithm of a ratio with its standard error and degrees of freedom.
struct log_ratio {
    double centre = 0;
    double error = 0;
    double freedom = 1;
};

/// The difference of two logarithms, each with its standard error and number of samples; degrees of
/// freedom by Welch and Satterthwaite.
log_ratio difference_of(double centre, double one, std::size_t ones, double other,
                        std::size_t others) {
    const auto one_variance = one * one;
    const auto other_variance = other * other;
    const auto parts = one_variance * one_variance / static_cast<double>(ones - 1) +
                       other_variance * other_variance / static_cast<double>(others - 1);
    return {.centre = centre,
            .error = std::sqrt(one_variance + other_variance),
            .freedom = parts > 0 ? (one_variance + other_variance) *
                                       (one_variance + other_variance) / parts
                                 : 1};
}

comparison comparison_of(log_ratio of, better which, const comparison_rules& rules) {
    const auto tail =
        (1 - confidence) / 2 / static_cast<double>(std::max<std::size_t>(1, rules.side_by_side));
    comparison found;
    found.has_interval = true;
    found.error = of.error;
    if (rules.usual_error > 0) {
        constexpr double weight = 4;
        of.error = std::sqrt(
            (of.freedom * of.error * of.error + weight * rules.usual_error * rules.usual_error) /
            (of.freedom + weight));
        of.freedom += weight;
    }
    const auto margin = of.error > 0 ? student_quantile(tail, of.freedom) * of.error : 0;
    found.ratio = ratio_of(of.centre);
    found.low = ratio_of(of.centre - margin);
    found.high = ratio_of(of.centre + margin);
    found.outcome = outcome_of(found, which, rules);
    return found;
}

/// One cell of the histogram of one round.
struct counted_value {
    std::uint64_t value = 0;
    std::uint64_t count = 0;
    std::size_t round = 0;
};

/// The cells of all rounds, the largest value first.
std::vector<counted_value> values_of(std::span<const histogram> rounds) {
    std::vector<counted_value> all;
    for (std::size_t i = 0; i < rounds.size(); ++i) {
        for (const auto& cell : rounds[i].cells()) {
            all.push_back({std::min(cell.most, rounds[i].max()), cell.count, i});
        }
    }
    std::ranges::sort(all, std::ranges::greater{}, &counted_value::value);
    return all;
}

/// The quantile, in seconds, with every round counted `times` its number.
double quantile_of(const std::vector<counted_value>& falling, std::span<const histogram> rounds,
                   const std::vector<std::uint64_t>& times, double share) {
    double all = 0;
    for (std::size_t i = 0; i < rounds.size(); ++i) {
        all += static_cast<double>(rounds[i].count() * times[i]);
    }
    const auto above = all - std::ceil(share * all);
    double seen = 0;
    for (const auto& each : falling) {
        seen += static_cast<double>(each.count * times[each.round]);
        if (seen > above) return static_cast<double>(each.value) * 1e-9;
    }
    return 0;
}

}  // namespace

double comparison::within() const noexcept {
    return std::max(high - 1, 1 - low);
}

estimate pooled_quantile(std::span<const histogram> rounds, double share) {
    std::vector<histogram> full;
    std::ranges::copy_if(rounds, std::back_inserter(full),
                         [](const histogram& each) { return !each.empty(); });
    if (full.empty()) return {};
    const auto falling = values_of(full);
    std::vector<std::uint64_t> times(full.size(), 1);
    estimate found{.median = quantile_of(falling, full, times, share),
                   .low = 0,
                   .high = 0,
                   .count = full.size()};
    found.low = found.high = found.median;
    if (full.size() < fewest) return found;
    splitmix64 random{seed};
    std::vector<double> drawn(fewer_resamples);
    for (auto& each : drawn) {
        std::ranges::fill(times, 0);
        for (std::size_t i = 0; i < full.size(); ++i) ++times[random.below(full.size())];
        each = quantile_of(falling, full, times, share);
    }
    std::ranges::sort(drawn);
    std::tie(found.low, found.high) = interval_of(drawn, full.size());
    return found;
}

std::vector<quantile> quantiles_of(const histogram& counted) {
    constexpr std::array shares{0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 0.99999};
    std::vector<quantile> found;
    if (counted.empty()) return found;
    for (const double share : shares) {
        // A percentile needs at least one value beyond it.
        if ((1 - share) * static_cast<double>(counted.count()) < 1) break;
        found.push_back({.share = share, .seconds = static_cast<double>(counted.at(share)) * 1e-9});
    }
    found.push_back({.share = 1, .seconds = static_cast<double>(counted.max()) * 1e-9});
    return found;
}

double estimate::spread() const noexcept {
    return median == 0 ? 0 : (high - low) / 2 / std::abs(median);
}

double student_quantile(double tail, double freedom) {
    return boost::math::quantile(boost::math::complement(student{freedom}, tail));
}

estimate median_of(std::span<const double> samples) {
    const auto kept = finite_of(samples);
    if (kept.empty()) return {};
    estimate found{.median = median(kept), .low = 0, .high = 0, .count = kept.size()};
    const auto [least, most] = std::ranges::minmax(kept);
    found.low = least;
    found.high = most;
    // One or two samples have no interval but their range.
    if (kept.size() < fewest) return found;
    auto medians = medians_of_resamples(kept, resamples);
    std::ranges::sort(medians);
    std::tie(found.low, found.high) = interval_of(medians, kept.size());
    return found;
}

comparison compare(std::span<const double> one, std::span<const double> other, better which,
                   const comparison_rules& rules) {
    if (rules.may_pair && one.size() == other.size()) {
        const auto logs = log_ratios_of(one, other);
        if (logs.size() < fewest) return compare_without_logarithms(one, other);
        auto found = comparison_of({.centre = median(logs),
                                    .error = standard_error(logs),
                                    .freedom = static_cast<double>(logs.size() - 1)},
                                   which, rules);
        found.paired = true;
        return found;
    }
    const auto one_logs = logarithms_of(one);
    const auto other_logs = logarithms_of(other);
    if (std::min(one_logs.size(), other_logs.size()) < fewest)
        return compare_without_logarithms(one, other);
    return comparison_of(
        difference_of(median(one_logs) - median(other_logs), standard_error(one_logs),
                      one_logs.size(), standard_error(other_logs), other_logs.size()),
        which, rules);
}

comparison compare(const estimate& one, const estimate& other, better which,
                   const comparison_rules& rules) {
    const auto can_divide = [](const estimate& each) {
        return each.count >= fewest && each.low > 0 && std::isfinite(each.high);
    };
    if (!can_divide(one) || !can_divide(other)) return {};
    // Of an asymmetric interval, the half that faces the other estimate counts.
    const auto error_of = [](const estimate& each, bool downwards) {
        const auto t = student_quantile((1 - confidence) / 2, static_cast<double>(each.count - 1));
        return (downwards ? std::log(each.median) - std::log(each.low)
                          : std::log(each.high) - std::log(each.median)) /
               t;
    };
    const bool above = one.median > other.median;
    return comparison_of(
        difference_of(std::log(one.median) - std::log(other.median), error_of(one, above),
                      one.count, error_of(other, !above), other.count),
        which, rules);
}

}  // namespace sluice::lab
