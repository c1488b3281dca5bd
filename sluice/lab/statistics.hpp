// Statistics of samples: medians with confidence intervals, and comparisons of two series.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "sluice/base/histogram.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// A median and its confidence interval. Never NaN or infinite: such samples are left out.
struct estimate {
    double median = 0;
    double low = 0;         ///< lower bound of the 95 % interval
    double high = 0;        ///< upper bound; with one sample both bounds are the median
    std::size_t count = 0;  ///< finite samples; 0: no estimate

    /// Half the interval, as a share of the median; 0 if the median is 0.
    [[nodiscard]] double spread() const noexcept;
};

/// The median of `samples` with its bootstrap interval: percentiles of the medians of resamples,
/// expanded for small numbers as in T. Hesterberg, "What Teachers Should Know About the Bootstrap"
/// (2015), section 4.3. The draws are seeded: equal samples give equal intervals. Takes well under
/// a millisecond for tens of samples.
[[nodiscard]] estimate median_of(std::span<const double> samples);

/// The same for the quantile `share` of all rounds together, a histogram per round. Resamples draw
/// whole rounds. In seconds; `count` is the number of rounds.
[[nodiscard]] estimate pooled_quantile(std::span<const histogram> rounds, double share);

/// The percentiles that reports show, from 0.5 to 0.99999 as far as the number of values allows,
/// and the maximum.
[[nodiscard]] std::vector<quantile> quantiles_of(const histogram& counted);

enum class comparison_outcome : std::uint8_t {
    unknown,  ///< the interval holds both no and a large difference, or does not exist
    tie,      ///< no difference within comparison::within(), which is small
    better,   ///< better in the given direction; with better::neither: larger
    worse,
};

/// The comparison of two series.
struct comparison {
    double ratio = 1;  ///< of the first to the second
    double low = 1;    ///< interval of the ratio, at the confidence asked for
    double high = 1;
    comparison_outcome outcome = comparison_outcome::unknown;
    bool has_interval = false;  ///< false: too few samples, or none to divide by
    bool paired = false;        ///< the ratio is the median of the ratios per round
    double error = 0;  ///< standard error of the ratio's logarithm, from these samples alone

    /// The largest difference in the interval, as a share: 0.04 for 0.97 to 1.04.
    [[nodiscard]] double within() const noexcept;
};

struct comparison_rules {
    /// Number of simultaneous comparisons: the chance that any of them finds a difference where
    /// there is none is kept at 5 % (Bonferroni).
    std::size_t side_by_side = 1;
    /// A smaller difference counts as none, however significant: the placement of code and memory
    /// alone changes that much. A share: 0.01 is one per cent.
    double least = 0.01;
    /// A tie needs an interval without any difference above this share; an interval with smaller
    /// and larger differences is unknown.
    double same = 0.1;
    /// False for series of different runs, whose rounds are not paired.
    bool may_pair = true;
    /// The usual standard error of similar comparisons; 0: unknown. Few rounds estimate their own
    /// noise badly, so both errors are averaged, this one with the weight of five rounds (G. Smyth,
    /// "Linear models and empirical Bayes methods", 2004).
    double usual_error = 0;
};

/// Compares `one` to `other`: by the median of the ratios per round if both have equally many
/// samples, else by the ratio of the medians. The interval is computed from logarithms: the
/// bootstrap standard error of the median times Student's t, so it holds for few rounds, too.
[[nodiscard]] comparison compare(std::span<const double> one, std::span<const double> other,
                                 better which, const comparison_rules& rules = {});

/// Compares two estimates without their samples, unpaired.
[[nodiscard]] comparison compare(const estimate& one, const estimate& other, better which,
                                 const comparison_rules& rules = {});

/// Student's t: the value that a variable with `freedom` degrees of freedom exceeds with
/// probability `tail`, which lies between 0 and 1/2. `freedom` is above 0 and need not be whole.
[[nodiscard]] double student_quantile(double tail, double freedom);

}  // namespace sluice::lab
