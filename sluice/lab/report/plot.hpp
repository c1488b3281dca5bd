// Plots as SVG: bars with intervals, lines over an axis, percentiles of latencies.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/report/ranking.hpp"

namespace sluice::lab {

/// A figure drawn as a point.
struct plot_point {
    double x = 0;
    double y = 0;
    double low = 0;  ///< its interval; as y: none
    double high = 0;
    std::string told;  ///< shown when it is pointed at
};

/// A line of points, by rising x.
struct plot_line {
    std::string name;
    std::size_t style = 0;  ///< which colour, marker and dashes of the page
    std::vector<plot_point> points;
};

/// What lines are drawn on. Its y begins at zero unless it is logarithmic.
struct plot_plane {
    std::string title;   ///< for those who cannot see it
    std::string x_name;  ///< below the axis
    std::string y_name;  ///< above the other one, with its unit
    scale units;         ///< of y
    bool log_x = false;  ///< steps of a factor are equally wide
    bool log_y = false;
    struct tick {
        double x = 0;
        std::string label;
    };
    std::vector<tick> ticks;  ///< of x
};

/// Bars of a case, one a variant, with their intervals and the ratio to the base. As wide as its
/// place, its text as large as the page's. Empty where nothing was measured.
[[nodiscard]] std::string bars_of(const ranking& in);

/// Lines, drawn once for wide pages and once for narrow ones; the page's style shows one of them.
[[nodiscard]] std::string lines_on(const plot_plane& plane, const std::vector<plot_line>& lines);

/// Round numbers from 0 to `most` or a step beyond, about `wanted` of them.
[[nodiscard]] std::vector<double> round_ticks(double most, std::size_t wanted);

}  // namespace sluice::lab
