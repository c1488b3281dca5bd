// Writes HTML tables: the figures of a case, and the medians of several cases.
#pragma once

#include <string>
#include <vector>

#include "sluice/lab/report/plot.hpp"
#include "sluice/lab/report/ranking.hpp"

namespace sluice::lab {

/// A row per variant: the ranked quantity, its ratio to the base, all other quantities, and latency
/// percentiles.
[[nodiscard]] std::string table_of(const ranking& in);

/// Medians, a row per line and a column per tick of `plane`; `points` are in the same order.
/// Leaders are highlighted.
[[nodiscard]] std::string matrix_of(const std::vector<ranking>& points,
                                    const std::vector<plot_line>& lines, const plot_plane& plane);

}  // namespace sluice::lab
