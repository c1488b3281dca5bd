// Draws plots as SVG: bars with intervals, lines over an axis, latency percentiles.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/report/ranking.hpp"

namespace sluice::lab {

/// A point of a line.
struct plot_point {
    double x = 0;
    double y = 0;
    double low = 0;  ///< bounds of its interval; equal to `y`: none
    double high = 0;
    std::string told;  ///< tooltip
};

/// A line of points in order of rising x.
struct plot_line {
    std::string name;
    std::size_t style = 0;  ///< index of colour, marker and dashes
    std::vector<plot_point> points;
};

/// The axes that lines share. y begins at zero unless it is logarithmic.
struct plot_plane {
    std::string title;   ///< aria-label
    std::string x_name;  ///< label of the x axis
    std::string y_name;  ///< label of the y axis, without its unit
    scale units;         ///< scale of y
    bool log_x = false;  ///< logarithmic axis
    bool log_y = false;
    struct tick {
        double x = 0;
        std::string label;
    };
    std::vector<tick> ticks;  ///< ticks of x
};

/// SVG bars of a case, a bar per variant with its interval and its ratio to the base. As wide as
/// its container, with the page's text size. Empty if nothing was measured.
[[nodiscard]] std::string bars_of(const ranking& in);

/// SVG of the lines, in a wide and a narrow version; the page's style shows one of them.
[[nodiscard]] std::string lines_on(const plot_plane& plane, const std::vector<plot_line>& lines);

/// Round numbers from 0 to `most` or the next step, about `wanted` of them.
[[nodiscard]] std::vector<double> round_ticks(double most, std::size_t wanted);

}  // namespace sluice::lab
