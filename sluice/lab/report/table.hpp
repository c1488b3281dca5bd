// The tables of a page: the figures of a case, and the medians of several.
#pragma once

#include <string>
#include <vector>

#include "sluice/lab/report/plot.hpp"
#include "sluice/lab/report/ranking.hpp"

namespace sluice::lab {

/// HTML: a row a variant; what it is ranked by, its ratio to the base, all other quantities, and
/// the percentiles of its latencies.
[[nodiscard]] std::string table_of(const ranking& in);

/// HTML: medians, a row for each line, a column for each tick of `plane`, where `points` stand in
/// the same order; who is ahead there stands out.
[[nodiscard]] std::string matrix_of(const std::vector<ranking>& points,
                                    const std::vector<plot_line>& lines, const plot_plane& plane);

}  // namespace sluice::lab
