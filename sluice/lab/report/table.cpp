// Implements the HTML tables: columns with a unit each.
#include "sluice/lab/report/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/statistics.hpp"
#include "sluice/wire/html.hpp"

namespace sluice::lab {
namespace {

using wire::escape_html;

struct markup {
    std::string text;

    template <class... Parts>
    void add(fmt::format_string<Parts...> form, Parts&&... parts) {
        fmt::format_to(std::back_inserter(text), form, std::forward<Parts>(parts)...);
    }
};

/// A column of numbers: its head, and a cell per variant.
struct column {
    std::string title;
    std::string unit;
    std::vector<std::string> cells;
};

std::string interval_of(const estimate& value, const scale& units) {
    return value.count < 2 ? std::string{}
                           : fmt::format("<small>{} to {}</small>", shown(value.low, units),
                                         shown(value.high, units));
}

column ratios_of(const ranking& in) {
    column ratios{"ratio", in.rows[*in.base].row->variant, {}};
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
        const auto& each = in.rows[i];
        if (each.value.count == 0 || i == *in.base) {
            ratios.cells.emplace_back(each.value.count == 0 ? "-" : "base");
            continue;
        }
        const auto& to = each.to_base;
        const auto mark = told_outcome(to);
        ratios.cells.push_back(fmt::format("{} × <small>{}{}{} to {}</small>",
                                           shown_ratio(to.ratio), mark, mark.empty() ? "" : ", ",
                                           shown_ratio(to.low), shown_ratio(to.high)));
    }
    return ratios;
}

std::optional<column> column_of(const ranking& in, std::string_view name, bool intervals) {
    std::vector<estimate> values;
    std::string unit;
    double most = 0;
    for (const auto& row : in.rows) {
        const auto* each = find_series(*row.row, name);
        values.push_back(each == nullptr ? estimate{} : median_of(each->samples));
        if (each != nullptr) unit = each->unit;
        most = std::max(most, std::abs(values.back().median));
    }
    if (std::ranges::all_of(values, [](const estimate& v) { return v.count == 0; })) {
        return std::nullopt;
    }
    const auto units = scale_for(most, unit);
    column made{std::string{name}, units.unit, {}};
    for (const auto& each : values) {
        made.cells.push_back(
            each.count == 0 ? "-"
                            : fmt::format("{} {}", shown(each.median, units),
                                          intervals ? interval_of(each, units) : std::string{}));
    }
    return made;
}

void add_percentiles(const ranking& in, std::vector<column>& into) {
    std::vector<double> shares;
    for (const auto& row : in.rows) {
        for (const auto& [share, seconds, low, high] : row.row->latencies) {
            const bool known = std::ranges::find(shares, share) != shares.end();
            if (!known && std::isfinite(share) && std::isfinite(seconds) && share >= 0.5) {
                shares.push_back(share);
            }
        }
    }
    std::ranges::sort(shares);
    for (const auto share : shares) {
        // The ranked percentile has a column with its interval already.
        if (shown_share(share) == in.quantity) continue;
        std::vector<double> values;
        double most = 0;
        for (const auto& row : in.rows) {
            const auto each = std::ranges::find(row.row->latencies, share, &quantile::share);
            const bool has = each != row.row->latencies.end() && std::isfinite(each->seconds);
            values.push_back(has ? each->seconds : -1);
            most = std::max(most, values.back());
        }
        const auto units = scale_for(most, "s");
        column made{shown_share(share), units.unit, {}};
        for (const auto each : values) {
            made.cells.push_back(each < 0 ? "-" : shown(each, units));
        }
        into.push_back(std::move(made));
    }
}

}  // namespace

std::string table_of(const ranking& in) {
    markup made;
    std::vector<column> columns;
    if (auto ranked = column_of(in, in.quantity, true)) columns.push_back(std::move(*ranked));
    if (in.base && in.rows.size() > 1) columns.push_back(ratios_of(in));
    for (const auto& name : other_quantities(in)) {
        if (auto other = column_of(in, name, false)) columns.push_back(std::move(*other));
    }
    add_percentiles(in, columns);
    made.add(R"(<div class="wide-table"><table><thead><tr><th>variant</th>)");
    for (const auto& each : columns) {
        made.add("<th>{}<small>{}</small></th>", escape_html(each.title), escape_html(each.unit));
    }
    made.add("</tr></thead><tbody>");
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
        made.add(R"(<tr class="{}"><td>{}</td>)", name_of(in.rows[i].where),
                 escape_html(in.rows[i].row->variant));
        for (const auto& each : columns) made.add("<td>{}</td>", each.cells[i]);
        made.add("</tr>");
    }
    made.add("</tbody></table></div>");
    return std::move(made.text);
}

std::string matrix_of(const std::vector<ranking>& points, const std::vector<plot_line>& lines,
                      const plot_plane& plane) {
    markup made;
    made.add(R"(<div class="wide-table"><table><thead><tr><th>{} by {}</th>)",
             escape_html(points.front().quantity), escape_html(points.front().from->axis));
    for (const auto& [x, label] : plane.ticks) made.add("<th>{}</th>", escape_html(label));
    made.add("</tr></thead><tbody>");
    for (const auto& line : lines) {
        made.add("<tr><td>{}</td>", escape_html(line.name));
        for (const auto& point : points) {
            const auto row = point.find(line.name);
            if (!row) {
                made.add("<td>-</td>");
                continue;
            }
            const auto& each = point.rows[*row];
            // Each value has its own scale: positions may lie far apart.
            made.add(R"(<td class="{}">{}</td>)", name_of(each.where),
                     escape_html(shown_with_unit(each.value.median, point.unit)));
        }
        made.add("</tr>");
    }
    made.add("</tbody></table></div>");
    return std::move(made.text);
}

}  // namespace sluice::lab
