// Who stands where in a case: each variant beside the baseline and beside the best.
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

/// What is known of a variant's place, each of which is shown in a way of its own.
enum class place : std::uint8_t {
    behind,  ///< another one is shown to be better
    best,    ///< the best, or no different from it (verdict::tie)
    unsure,  ///< it may be the best; so may others that cannot be told from it
};

/// One variant by the quantity that its case is ranked by.
struct standing {
    const figure* row = nullptr;
    const series* ranked = nullptr;  ///< nullptr: it has no sample of that
    estimate value;
    bool pooled =
        false;  ///< `value` is a percentile of all rounds together, not a median of theirs
    comparison to_base;
    comparison to_best;
    bool leads = false;  ///< it is the best, or nothing shows that it is behind any other
    place where = place::behind;
};

/// A case, judged. Refers to the case, which must live on.
struct ranking {
    const test_case* from = nullptr;
    std::string quantity;  ///< its name: "rate"
    std::string unit;
    better which = better::neither;
    double error = 0;                 ///< usual_error() of that quantity
    std::vector<standing> rows;       ///< as many as figures, in their order
    std::optional<std::size_t> base;  ///< which row the others are compared to
    std::optional<std::size_t> best;  ///< none where more is neither better nor worse

    [[nodiscard]] std::size_t leaders() const noexcept;
    /// Whether no leader is unsure, of which there may be one alone.
    [[nodiscard]] bool is_sure() const noexcept;
    /// Compares another quantity of two rows; nothing if one of them lacks it.
    [[nodiscard]] std::optional<comparison> compare_rows(std::size_t one, std::size_t other,
                                                         std::string_view name) const;
    /// Whether any row is shown to be better, at the confidence that comparing every two asks for.
    [[nodiscard]] bool is_behind(std::size_t row) const;
    /// The row of a variant that has samples.
    [[nodiscard]] std::optional<std::size_t> find(std::string_view variant) const;
    /// The error that comparisons with the base have, by the median of them; 0 where they are too
    /// few to speak of.
    [[nodiscard]] double usual_error(std::string_view name) const;
    /// How many other rows each is compared with.
    [[nodiscard]] std::size_t side_by_side() const noexcept;

 private:
    [[nodiscard]] comparison compare_ranked(const standing& one, const standing& other,
                                            const comparison_rules& rules) const;
};

[[nodiscard]] ranking rank(const test_case& from, baseline base);

/// The place in a word, as the page's style knows it.
[[nodiscard]] std::string_view name_of(place where) noexcept;
/// "no difference within 4 %", "cannot tell", "too few rounds: cannot tell"; empty for a
/// difference.
[[nodiscard]] std::string told_outcome(const comparison& of);

/// The series of that name, or nullptr.
[[nodiscard]] const series* find_series(const figure& row, std::string_view name);

/// The names of the quantities of a case that are not ranked by, in order of appearance, each once.
[[nodiscard]] std::vector<std::string> other_quantities(const ranking& of);

}  // namespace sluice::lab
