// Ranks the variants of a case against the baseline and the best variant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/report/text.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/statistics.hpp"

namespace sluice::lab {

/// The rank of a variant; each value has its own style in reports.
enum class place : std::uint8_t {
    behind,  ///< another variant is better
    best,    ///< the best, or tied with it (comparison_outcome::tie)
    unsure,  ///< it may be the best, but other leaders cannot be told from it
};

/// A variant's value of the quantity that its case is ranked by.
struct standing {
    const figure* row = nullptr;
    const series* ranked = nullptr;  ///< nullptr: no sample of that quantity
    estimate value;
    bool pooled = false;  ///< `value` is a percentile over all rounds, not a median of percentiles
    comparison to_base;
    comparison to_best;
    bool leads = false;  ///< the best, or not shown to be behind any other variant
    place where = place::behind;
};

/// The ranking of a case, which must outlive it.
struct ranking {
    const test_case* from = nullptr;
    std::string quantity;  ///< name of the ranked quantity: "rate"
    std::string unit;
    better which = better::neither;
    double error = 0;                 ///< usual_error() of that quantity
    std::vector<standing> rows;       ///< a row per figure, in the same order
    std::optional<std::size_t> base;  ///< index of the row that others are compared to
    /// Index of the best row; none if the quantity has no better direction.
    std::optional<std::size_t> best;

    [[nodiscard]] std::size_t leaders() const noexcept;
    /// Whether no leader is `unsure`.
    [[nodiscard]] bool is_sure() const noexcept;
    /// Compares a quantity of two rows; empty if one of them lacks it.
    [[nodiscard]] std::optional<comparison> compare_rows(std::size_t one, std::size_t other,
                                                         std::string_view name) const;
    /// Whether any other row is better, at the confidence for comparing every pair.
    [[nodiscard]] bool is_behind(std::size_t row) const;
    /// The index of the row of a variant that has samples.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view variant) const;
    /// The median standard error of the comparisons with the base; 0 if there are too few.
    [[nodiscard]] double usual_error(std::string_view name) const;
    /// How many other rows each row is compared with.
    [[nodiscard]] std::size_t side_by_side() const noexcept;

 private:
    [[nodiscard]] comparison compare_ranked(const standing& one, const standing& other,
                                            const comparison_rules& rules) const;
};

[[nodiscard]] ranking rank(const test_case& from, baseline base);

/// The CSS class of a rank.
[[nodiscard]] std::string_view name_of(place where) noexcept;
/// "no difference within 4 %", "cannot tell", "too few rounds: cannot tell"; empty for a
/// difference.
[[nodiscard]] std::string told_outcome(const comparison& of);

/// The series called `name`, or nullptr.
[[nodiscard]] const series* find_series(const figure& row, std::string_view name);

/// The names of the other quantities of a case, in order of appearance, each once.
[[nodiscard]] std::vector<std::string> other_quantities(const ranking& of);

}  // namespace sluice::lab
