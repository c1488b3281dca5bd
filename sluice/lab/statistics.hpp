// What samples tell: a median with the interval it lies in, and whether two series differ.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "sluice/lab/histogram.hpp"
#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// Where the median lies. Nothing here is ever NaN or infinite: samples that are, are left out.
struct estimate {
    double median = 0;
    double low = 0;         ///< with 95 % confidence it is not below this
    double high = 0;        ///< nor above this; one sample alone: both are the median
    std::size_t count = 0;  ///< finite samples; 0: there is nothing to say

    /// Half the interval, as a share of the median; 0 where the median is.
    [[nodiscard]] double spread() const noexcept;
};

/// The median of `samples` with its bootstrap interval: percentiles of the medians of samples drawn
/// again with replacement, expanded for small numbers as in T. Hesterberg, "What Teachers Should
/// Know About the Bootstrap" (2015), section 4.3. The draws are seeded: equal samples give equal
/// intervals. Takes well under a millisecond for tens of samples.
[[nodiscard]] estimate median_of(std::span<const double> samples);

/// The same of the quantile `share` of all rounds together: of each a histogram. The rounds are
/// what is drawn again. In seconds; `count` is the number of rounds.
[[nodiscard]] estimate pooled_quantile(std::span<const histogram> rounds, double share);

enum class verdict : std::uint8_t {
    unknown,  ///< cannot tell: the interval holds no difference and a large one, or there is none
    tie,      ///< no difference within comparison::within(), which is small
    better,   ///< more of what is good, or less of what is bad; for better::neither: more
    worse,
};

/// How one series stands to another.
struct comparison {
    double ratio = 1;  ///< of the one to the other
    double low = 1;    ///< the interval of the ratio, at the confidence asked for
    double high = 1;
    verdict outcome = verdict::unknown;
    bool has_interval = false;  ///< else there were too few samples, or none that can be divided
    bool paired = false;        ///< the ratio is the median of the ratios round by round
    double error = 0;  ///< standard error of the ratio's logarithm, as its own samples tell it

    /// The largest difference that the interval holds, as a share: 0.04 for 0.97 to 1.04.
    [[nodiscard]] double within() const noexcept;
};

struct comparison_rules {
    /// How many comparisons are made side by side: the chance that any of them finds a difference
    /// where there is none is kept at 5 % (Bonferroni).
    std::size_t side_by_side = 1;
    /// A smaller difference is called none, however sure it is: that much the placement of code
    /// and memory changes alone. A share: 0.01 is one per cent.
    double least = 0.01;
    /// "No difference" is said where the interval holds none that is larger than this share; where
    /// it holds larger ones, too, nothing is known.
    double same = 0.1;
    /// False for series of different runs, whose rounds have nothing in common.
    bool may_pair = true;
    /// The error that comparisons like this one have; 0: not known. A few rounds tell little of
    /// their own noise, and what ran beside them knows more: the two are averaged, this one with
    /// the weight of five rounds (G. Smyth, "Linear models and empirical Bayes methods", 2004).
    double usual_error = 0;
};

/// Compares `one` to `other`: by the median of the ratios round by round where both have equally
/// many samples, else by the ratio of the medians. The interval is made in logarithms: the
/// bootstrap standard error of the median, times Student's t, so that it holds for few rounds, too.
[[nodiscard]] comparison compare(std::span<const double> one, std::span<const double> other,
                                 better which, const comparison_rules& rules = {});

/// Compares two estimates of which no samples are left to pair.
[[nodiscard]] comparison compare(const estimate& one, const estimate& other, better which,
                                 const comparison_rules& rules = {});

/// Student's t: what a variable with `freedom` degrees of freedom exceeds with the probability
/// `tail`, which lies between 0 and 1/2. `freedom` is above 0 and need not be whole.
[[nodiscard]] double student_quantile(double tail, double freedom);

}  // namespace sluice::lab
