// Implements the plots: bars in per cent coordinates, lines in a wide and a narrow SVG.
#include "sluice/lab/report/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ranges>
#include <string_view>

#include "sluice/lab/statistics.hpp"
#include "sluice/wire/html.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

using wire::escape_html;

constexpr int row_height = 46;
constexpr int bar_top = 22;
constexpr int bar_height = 14;

std::string bar_row(const standing& row, const scale& units, double most, int top, bool is_base) {
    const auto percent = [most, &units](double value) {
        return std::max(0.0, value / units.factor / most * 100);
    };
    const auto value = row.value.median;
    const auto kind = row.where == place::behind && is_base ? "base" : name_of(row.where);
    const auto stands = is_base ? std::string{"base"} : told_outcome(row.to_base);
    const auto ratio = is_base || !row.to_base.has_interval ? std::string{}
                                                            : shown_ratio(row.to_base.ratio) + " ×";
    auto out =
        fmt::format(R"(<g><title>{}: {} {} ({} to {})</title><rect class="hit" x="0" y="{}" )"
                    R"(width="100%" height="{}"/>)",
                    escape_html(row.row->variant), shown(value, units), escape_html(units.unit),
                    shown(row.value.low, units), shown(row.value.high, units), top, row_height);
    out += fmt::format(R"(<text class="name {}" x="0" y="{}">{}{}</text>)", kind, top + 15,
                       escape_html(row.row->variant),
                       stands.empty()
                           ? std::string{}
                           : fmt::format(R"(<tspan class="mark" dx="8">{}</tspan>)", stands));
    out += fmt::format(
        R"(<text class="value" x="100%" y="{}">{} <tspan class="unit">{}</tspan>{}</text>)",
        top + 15, shown(value, units), escape_html(units.unit),
        ratio.empty() ? std::string{}
                      : fmt::format(R"(<tspan class="ratio" dx="10">{}</tspan>)", ratio));
    out += fmt::format(R"(<rect class="bar {}" x="0" y="{}" width="{:.2f}%" height="{}" rx="2"/>)",
                       kind, top + bar_top, percent(value), bar_height);
    if (row.value.count > 1) {
        const auto low = percent(row.value.low);
        const auto high = percent(row.value.high);
        const auto middle = top + bar_top + bar_height / 2;
        out += fmt::format(
            R"(<g class="interval"><line x1="{0:.2f}%" x2="{1:.2f}%" y1="{2}" y2="{2}"/><line )"
            R"(x1="{0:.2f}%" x2="{0:.2f}%" y1="{3}" y2="{4}"/><line x1="{1:.2f}%" )"
            R"(x2="{1:.2f}%" y1="{3}" y2="{4}"/></g>)",
            low, high, middle, middle - 4, middle + 4);
    }
    return out + "</g>";
}

/// The SVG canvas of a line plot, in pixels.
struct canvas {
    std::string_view kind;
    double width;
    double height;
    double left;
    double right;
    double top;
    double bottom;
    std::size_t label_length;  ///< characters of a line's name that fit

    [[nodiscard]] double across() const { return width - left - right; }
    [[nodiscard]] double down() const { return height - top - bottom; }
};

constexpr std::array canvases{
    canvas{"wide", 900, 340, 58, 140, 26, 46, 20},
    canvas{"narrow", 350, 290, 42, 100, 26, 44, 13},
};

/// Maps values to positions on an axis.
class axis {
 public:
    axis(double from, double to, bool logarithmic) : logarithmic_{logarithmic}, from_{map(from)} {
        const auto end = map(to);
        width_ = end > from_ ? end - from_ : 1;
        is_point_ = end <= from_;
    }

    /// The position of a value, 0 to 1.
    [[nodiscard]] double place(double value) const {
        if (is_point_) return 0.5;
        return std::clamp((map(value) - from_) / width_, 0.0, 1.0);
    }

 private:
    [[nodiscard]] double map(double value) const {
        constexpr double least = 1e-12;
        return logarithmic_ ? std::log10(std::max(value, least)) : value;
    }

    bool logarithmic_;
    double from_;
    double width_ = 1;
    bool is_point_ = false;
};

constexpr std::size_t styles = 8;

std::string marker(std::size_t style, double x, double y) {
    constexpr double r = 4;
    switch (style % 4) {
        case 1:
            return fmt::format(R"(<rect class="dot" x="{:.1f}" y="{:.1f}" width="7" height="7"/>)",
                               x - 3.5, y - 3.5);
        case 2: return fmt::format(R"(<path class="dot" d="M{:.1f} {:.1f}l4.5 8h-9z"/>)", x, y - 5);
        case 3:
            return fmt::format(R"(<path class="dot" d="M{:.1f} {:.1f}l5 5l-5 5l-5-5z"/>)", x,
                               y - 5);
        default:
            return fmt::format(R"(<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{}"/>)", x, y, r);
    }
}

std::vector<double> log_ticks(double least, double most) {
    std::vector<double> ticks;
    const auto decades = std::log10(most / least);
    for (double power = std::pow(10, std::floor(std::log10(least))); power <= most * 1.001;
         power *= 10) {
        for (const double step : {1.0, 2.0, 5.0}) {
            if (step > 1 && decades > 3) continue;
            const auto tick = power * step;
            if (tick >= least * 0.999 && tick <= most * 1.001) ticks.push_back(tick);
        }
    }
    return ticks;
}

class drawing {
 public:
    drawing(const canvas& on, const plot_plane& plane, const std::vector<plot_line>& lines)
        : on_{on}, plane_{plane}, lines_{lines} {
        std::vector<double> xs;
        std::vector<double> ys;
        for (const auto& line : lines) {
            for (const auto& point : line.points) {
                xs.push_back(point.x);
                ys.push_back(point.high / plane.units.factor);
                if (plane.log_y) ys.push_back(point.low / plane.units.factor);
            }
        }
        const auto [x_least, x_most] = std::ranges::minmax(xs);
        const auto [y_least, y_most] = std::ranges::minmax(ys);
        x_ = axis{x_least, x_most, plane.log_x};
        constexpr std::size_t tick_count = 5;
        if (plane.log_y) {
            y_ticks_ = log_ticks(y_least, y_most);
            y_ = axis{y_least, y_most, true};
        } else {
            y_ticks_ = round_ticks(y_most, tick_count);
            y_ = axis{0, y_ticks_.back(), false};
        }
    }

    std::string draw() {
        out_ =
            fmt::format(R"(<svg class="lines {}" viewBox="0 0 {} {}" role="img" aria-label="{}">)",
                        on_.kind, on_.width, on_.height, escape_html(plane_.title));
        add_axes();
        for (const auto& line : lines_) add_line(line);
        add_names();
        for (const auto& line : lines_) add_points(line);
        return std::move(out_) + "</svg>";
    }

 private:
    [[nodiscard]] double at_x(double x) const { return on_.left + x_.place(x) * on_.across(); }
    /// The y coordinate of a value in the plane's scale.
    [[nodiscard]] double at_y(double y) const { return on_.top + (1 - y_.place(y)) * on_.down(); }
    [[nodiscard]] double at(double y) const { return at_y(y / plane_.units.factor); }

    void add_axes() {
        const auto end = on_.width - on_.right;
        for (const auto tick : y_ticks_) {
            const auto y = at_y(tick);
            out_ += fmt::format(
                R"(<line class="grid" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/><text )"
                R"(class="tick y" x="{:.1f}" y="{:.1f}">{}</text>)",
                on_.left, end, y, y, on_.left - 8, y + 4, fmt::format("{:.6g}", tick));
        }
        out_ += fmt::format(R"(<text class="axis" x="{:.1f}" y="12">{}, {}{}</text>)", 0.0,
                            escape_html(plane_.y_name), escape_html(plane_.units.unit),
                            plane_.log_y ? " (logarithmic)" : "");
        const auto foot = on_.height - on_.bottom;
        // Skips labels that would touch, except the last, which shows the range.
        const auto half_of = [](const std::string& label) {
            constexpr double character_width = 9;
            return static_cast<double>(label.size()) * character_width / 2;
        };
        double free_from = -1e9;
        const auto& last = plane_.ticks.back();
        const auto last_from = at_x(last.x) - half_of(last.label);
        for (const auto& each : plane_.ticks) {
            const auto& [x, label] = each;
            const auto place = at_x(x);
            out_ += fmt::format(
                R"(<line class="notch" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>)",
                place, foot, foot + 4);
            const auto half = half_of(label);
            const bool hidden = place - half < free_from || place + half > last_from;
            if (hidden && &each != &last) continue;
            free_from = place + half;
            out_ += fmt::format(R"(<text class="tick x" x="{:.1f}" y="{:.1f}">{}</text>)", place,
                                foot + 18, escape_html(label));
        }
        out_ +=
            fmt::format(R"(<text class="axis x" x="{:.1f}" y="{:.1f}">{}</text>)",
                        on_.left + on_.across() / 2, on_.height - 6, escape_html(plane_.x_name));
    }

    void add_line(const plot_line& line) {
        if (line.points.empty()) return;
        const auto style = line.style % styles;
        out_ += fmt::format(R"(<g class="s{}">)", style);
        for (const auto& point : line.points) {
            if (point.low >= point.high) continue;
            out_ += fmt::format(
                R"(<line class="whisker" x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}"/>)",
                at_x(point.x), at(point.low), at(point.high));
        }
        out_ += R"(<polyline points=")";
        for (const auto& point : line.points) {
            out_ += fmt::format("{:.1f},{:.1f} ", at_x(point.x), at(point.y));
        }
        out_ += R"("/></g>)";
    }

    /// Adds names at the ends of the lines, moved apart where they would overlap.
    void add_names() {
        struct place {
            const plot_line* line;
            double y;
        };
        std::vector<place> places;
        for (const auto& line : lines_) {
            if (!line.points.empty()) places.push_back({&line, at(line.points.back().y)});
        }
        std::ranges::sort(places, {}, &place::y);
        constexpr double apart = 15;
        for (std::size_t i = 1; i < places.size(); ++i) {
            places[i].y = std::max(places[i].y, places[i - 1].y + apart);
        }
        double lowest = on_.height - on_.bottom + 8;
        for (auto& each : std::views::reverse(places)) {
            each.y = std::min(each.y, lowest);
            lowest = each.y - apart;
        }
        const auto x = on_.width - on_.right;
        for (const auto& [line, y] : places) {
            const auto from_y = at(line->points.back().y);
            const auto from_x = at_x(line->points.back().x);
            auto name = line->name;
            if (name.size() > on_.label_length) {
                name = std::string{wire::truncate_utf8(name, on_.label_length - 1)} + "…";
            }
            out_ += fmt::format(
                R"(<g class="s{}"><path class="lead-line" d="M{:.1f} {:.1f}L{:.1f} {:.1f}L{:.1f} )"
                R"({:.1f}"/><text class="line-name" x="{:.1f}" y="{:.1f}">{}</text></g>)",
                line->style % styles, from_x + 6, from_y, std::max(from_x + 6, x + 6), from_y,
                x + 16, y, x + 20, y + 4, escape_html(name));
        }
    }

    void add_points(const plot_line& line) {
        for (const auto& point : line.points) {
            const auto x = at_x(point.x);
            const auto y = at(point.y);
            const auto width = static_cast<double>(point.told.size()) * 6.3 + 14;
            const auto left = std::clamp(x - width / 2, 0.0, std::max(0.0, on_.width - width));
            const auto top = y > on_.top + 30 ? y - 34 : y + 12;
            out_ += fmt::format(R"(<g class="point s{}" tabindex="-1">)", line.style % styles);
            out_ += fmt::format(R"(<circle class="hit" cx="{:.1f}" cy="{:.1f}" r="11"/>)", x, y);
            out_ += marker(line.style, x, y);
            out_ += fmt::format(
                R"(<g class="tip"><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="22" )"
                R"(rx="4"/><text x="{:.1f}" y="{:.1f}">{}</text></g></g>)",
                left, top, width, left + width / 2, top + 15, escape_html(point.told));
        }
    }

    const canvas& on_;
    const plot_plane& plane_;
    const std::vector<plot_line>& lines_;
    axis x_{0, 1, false};
    axis y_{0, 1, false};
    std::vector<double> y_ticks_;
    std::string out_;
};

}  // namespace

std::vector<double> round_ticks(double most, std::size_t wanted) {
    if (!std::isfinite(most) || most <= 0) return {0, 1};
    const auto rough = most / static_cast<double>(std::max<std::size_t>(wanted, 1));
    const auto power = std::pow(10, std::floor(std::log10(rough)));
    auto step = power * 10;
    for (const double each : {5.0, 2.5, 2.0, 1.0}) {
        if (power * each >= rough) step = power * each;
    }
    std::vector<double> ticks{0};
    while (ticks.back() < most * 0.999) {
        ticks.push_back(step * static_cast<double>(ticks.size()));
    }
    return ticks;
}

std::string bars_of(const ranking& in) {
    double most = 0;
    int count = 0;
    for (const auto& row : in.rows) {
        if (row.value.count == 0) continue;
        most = std::max({most, row.value.high, row.value.median});
        ++count;
    }
    if (count == 0) return {};
    const auto units = scale_for(most, in.unit);
    constexpr std::size_t tick_count = 5;
    const auto ticks = round_ticks(most / units.factor, tick_count);
    // The axis ends at the longest bar: a longer axis would only shorten all bars.
    const auto end = most > 0 ? most / units.factor : 1;
    const auto foot = count * row_height;
    auto out = fmt::format(
        R"(<svg class="bars" width="100%" height="{}" role="img" aria-label="{}: {}, {}">)",
        foot + 36, escape_html(in.from->plan), escape_html(in.from->name),
        escape_html(in.quantity));
    for (const auto tick : ticks) {
        if (tick > end) continue;
        const auto place = tick / end * 100;
        const auto* anchor = place < 4 ? "start" : place > 96 ? "end" : "middle";
        out +=
            fmt::format(R"(<line class="grid" x1="{0:.2f}%" x2="{0:.2f}%" y1="18" y2="{1}"/><text )"
                        R"(class="tick" text-anchor="{2}" x="{0:.2f}%" y="{3}">{4}</text>)",
                        place, foot, anchor, foot + 16, fmt::format("{:.6g}", tick));
    }
    out += fmt::format(R"(<text class="axis" text-anchor="end" x="100%" y="{}">{}, {}</text>)",
                       foot + 32, escape_html(in.quantity), escape_html(units.unit));
    int top = 0;
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
        if (in.rows[i].value.count == 0) continue;
        out += bar_row(in.rows[i], units, end, top, in.base == i);
        top += row_height;
    }
    return out + "</svg>";
}

std::string lines_on(const plot_plane& plane, const std::vector<plot_line>& lines) {
    const bool is_empty =
        std::ranges::all_of(lines, [](const plot_line& each) { return each.points.empty(); });
    if (is_empty) return {};
    std::string out;
    for (const auto& on : canvases) out += drawing{on, plane, lines}.draw();
    return out;
}

}  // namespace sluice::lab
