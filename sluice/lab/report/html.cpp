// Implements as_html(): the page of a run, from head to footer.
#include "sluice/lab/report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/base/assets.hpp"
#include "sluice/lab/report/findings.hpp"
#include "sluice/lab/report/plot.hpp"
#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/report/ranking.hpp"
#include "sluice/lab/report/table.hpp"
#include "sluice/lab/statistics.hpp"
#include "sluice/wire/html.hpp"

namespace sluice::lab {
namespace {

using wire::escape_html;

constexpr std::string_view method = R"(<p class="method">
Every variant of a case ran once a round, in random order, so that what
disturbs the machine for a while disturbs all of them; cases took turns, a round each. Rounds in
which something else had the machine were repeated where there was time, and dropped. Shown is
the median of the rounds. The interval beside it holds the median with 95 % confidence; it comes
from drawing the rounds
again with replacement (bootstrap, seeded), with wider percentiles where rounds are few.
A p99 that variants are ranked by is that of all rounds together, and the rounds are what is
drawn again. Ratios are taken round by round (of a p99, as they stand), and their intervals hold at
95 % for all comparisons of a
case together. A difference is one whose interval leaves out 1 and that is above one per cent; "no
difference within X %" means that the interval holds none that is larger, and X is 10 at most;
of all else nobody can tell. Latencies
count from when a request was due, so a server that stalls is charged for everybody who had to
wait. Client and server shared this machine: no card and no cable were involved, unless an
address says otherwise, and only ratios travel to another machine.</p>)";

constexpr std::string_view best_legend =
    R"(; <span class="swatch"></span> the best, or no difference from it within 10 %; )"
    R"(<span class="swatch unsure"></span> may be the best: cannot tell)";
constexpr std::string_view line_legend =
    R"(; <b class="lead">so</b>: the best, or no difference from it within 10 %; )"
    R"(<b class="unsure">so</b>: may be the best, cannot tell)";

/// Replaces the "x" of ratios by a multiplication sign: "2.11 ×".
std::string with_multiplication_signs(std::string text) {
    for (auto at = text.find(" x "); at != std::string::npos; at = text.find(" x ", at)) {
        text.replace(at, 3, "\u00a0× ");
    }
    if (const auto at = text.find(" x)"); at != std::string::npos) {
        text.replace(at, 2, "\u00a0×");
    }
    if (text.ends_with(" x")) text.replace(text.size() - 2, 2, "\u00a0×");
    return text;
}

std::string place_of(const answer& each) {
    return each.place.empty()
               ? std::string{}
               : fmt::format(R"(<span class="place">{}:</span> )", escape_html(each.place));
}

std::string anchor_of(std::size_t plan) {
    return fmt::format("plan-{}", plan + 1);
}

/// The cases of one plan that share a line.
struct group {
    std::string_view line;
    std::vector<const test_case*> cases;
};

class html_page {
 public:
    html_page(const results& found, baseline base)
        : found_{found}, base_{base}, plans_{plans_of(found)}, answers_{answers_of(found, base)} {}

    std::string write() {
        add_head();
        add_answers();
        for (std::size_t i = 0; i < plans_.size(); ++i) add_plan(i);
        add_environment();
        add_warnings();
        add(R"(<section id="method"><h2>Method</h2>{}</section></main>)", method);
        add("<footer>Written by sluice lab. This page is one file; it fetches nothing and runs "
            "nothing.</footer></body></html>\n");
        return std::move(out_);
    }

 private:
    template <class... Parts>
    void add(fmt::format_string<Parts...> form, Parts&&... parts) {
        fmt::format_to(std::back_inserter(out_), form, std::forward<Parts>(parts)...);
    }

    [[nodiscard]] std::string fact_named(std::string_view topic, std::string_view name) const {
        for (const auto& each : found_.environment) {
            if (each.topic == topic && each.name == name) return each.value;
        }
        return {};
    }

    void add_head() {
        add(R"(<!doctype html><html lang="en"><head><meta charset="utf-8"><meta )"
            R"(name="viewport" content="width=device-width,initial-scale=1">)"
            R"(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; )"
            R"(style-src 'unsafe-inline'">)"
            R"(<meta name="color-scheme" content="light dark"><title>What is fastest here: )"
            R"(sluice lab</title><style>{}</style></head><body>)",
            assets::report_css);
        add(R"(<header><p class="kicker">sluice lab</p><h1>What is fastest on this machine</h1>)");
        add(R"(<p class="meta"><code>{}</code></p><p class="meta">{}{}</p>)",
            escape_html(found_.command), escape_html(found_.started),
            found_.seconds > 0 ? fmt::format(", {}", shown_time(found_.seconds)) : std::string{});
        std::vector<std::string> machine_facts;
        for (const auto& [topic, name, before] :
             {std::tuple{"processor", "model", ""}, std::tuple{"processor", "cores", "cores: "},
              std::tuple{"kernel", "release", "Linux "}}) {
            if (auto value = fact_named(topic, name); !value.empty())
                machine_facts.push_back(before + value);
        }
        if (!machine_facts.empty()) {
            std::string line;
            for (const auto& each : machine_facts)
                line += (line.empty() ? "" : " · ") + escape_html(each);
            add(R"(<p class="meta">{}</p>)", line);
        }
        if (found_.interrupted) {
            add(R"(<p class="interrupted">Interrupted: this is what was measured until then.</p>)");
        }
        add(R"(<nav aria-label="Sections">)");
        for (std::size_t i = 0; i < plans_.size(); ++i) {
            add(R"(<a href="#{}">{}</a>)", anchor_of(i), escape_html(plans_[i]));
        }
        if (!found_.environment.empty()) add(R"(<a href="#environment">environment</a>)");
        if (!found_.warnings.empty()) {
            add(R"(<a href="#warnings">{} warning{}</a>)", found_.warnings.size(),
                found_.warnings.size() == 1 ? "" : "s");
        }
        add(R"(<a href="#method">method</a></nav></header><main>)");
    }

    void add_answers() {
        if (answers_.empty()) {
            add("<p>Nothing was measured, so there is nothing to answer.</p>");
            return;
        }
        add(R"(<div class="answers">)");
        for (std::size_t i = 0; i < plans_.size(); ++i) {
            std::vector<const answer*> findings;
            for (const auto& each : answers_) {
                if (each.plan == plans_[i]) findings.push_back(&each);
            }
            if (findings.empty()) continue;
            add(R"(<article class="card"><a href="#{}">{}</a>)", anchor_of(i),
                escape_html(plans_[i]));
            add_headline(findings);
            if (!findings.empty()) add("<ul>");
            for (std::size_t k = 0; k < findings.size(); ++k) {
                if (k > 0 && findings[k]->place == findings[k - 1]->place) {
                    add(" {}", escape_html(with_multiplication_signs(findings[k]->sentence)));
                } else {
                    add("{}<li>{}{}", k > 0 ? "</li>" : "", place_of(*findings[k]),
                        escape_html(with_multiplication_signs(findings[k]->sentence)));
                }
            }
            if (!findings.empty()) add("</li></ul>");
            add("</article>");
        }
        add("</div>");
    }

    /// Shows the first of the large differences in large type, and removes it from `findings`.
    void add_headline(std::vector<const answer*>& findings) {
        const auto size = [](const answer* each) { return std::abs(std::log(each->ratio)); };
        const auto largest = size(*std::ranges::max_element(findings, {}, size));
        constexpr double nearly = 0.9;
        const auto shown = std::ranges::find_if(findings, [&](const answer* each) {
            return !each->headline.empty() && size(each) >= nearly * largest;
        });
        if (shown == findings.end()) return;
        add(R"(<p class="big">{}</p><p>{}{}</p>)",
            escape_html(with_multiplication_signs((*shown)->headline)), place_of(**shown),
            escape_html(with_multiplication_signs((*shown)->sentence)));
        findings.erase(shown);
    }

    void add_plan(std::size_t index) {
        const auto plan = plans_[index];
        variants_.clear();
        std::vector<group> groups;
        std::vector<const test_case*> alone;
        for (const auto& each : found_.cases) {
            if (each.plan != plan) continue;
            for (const auto& row : each.figures) static_cast<void>(style_of(row.variant));
            if (!each.x || !std::isfinite(*each.x)) {
                alone.push_back(&each);
                continue;
            }
            auto known = std::ranges::find(groups, std::string_view{each.line}, &group::line);
            if (known == groups.end()) {
                groups.push_back({each.line, {}});
                known = groups.end() - 1;
            }
            known->cases.push_back(&each);
        }
        add(R"(<section id="{}"><h2>{}</h2>)", anchor_of(index), escape_html(plan));
        // A line of two points shows less than bars.
        constexpr std::size_t fewest = 3;
        for (auto& each : groups) {
            std::ranges::sort(each.cases, {}, [](const test_case* c) { return *c->x; });
            if (each.cases.size() < fewest) {
                alone.insert(alone.end(), each.cases.begin(), each.cases.end());
            } else {
                add_line(each);
            }
        }
        for (const auto* each : alone) add_case(*each);
        add("</section>");
    }

    /// The index of a variant's colour and marker, the same in all of its plan.
    std::size_t style_of(const std::string& variant) {
        const auto known = std::ranges::find(variants_, variant);
        if (known != variants_.end()) return static_cast<std::size_t>(known - variants_.begin());
        variants_.push_back(variant);
        return variants_.size() - 1;
    }

    void add_case(const test_case& each) {
        const auto in = rank(each, base_);
        add(R"(<article class="case"><h3>{}</h3>)", escape_html(each.name));
        if (!each.question.empty())
            add(R"(<p class="question">{}</p>)", escape_html(each.question));
        const auto bars = bars_of(in);
        if (bars.empty()) {
            add("<p>Not measured.</p></article>");
            return;
        }
        add_rank(in, in.best && in.rows.size() > 1 ? best_legend : std::string_view{});
        out_ += bars;
        add_footnotes(in);
        add_latencies(in, false);
        add("<details><summary>Figures</summary>");
        out_ += table_of(in);
        add("</details>");
        add_commands(each);
        add("</article>");
    }

    /// Adds the line that explains bars or lines.
    void add_rank(const ranking& in, std::string_view legend) {
        const auto* good = in.which == better::higher  ? "more is better"
                           : in.which == better::lower ? "less is better"
                                                       : "neither more nor less is better";
        const auto base = in.base && in.rows.size() > 1
                              ? fmt::format("; ratios are to {}", in.rows[*in.base].row->variant)
                              : std::string{};
        const bool pooled = std::ranges::any_of(in.rows, &standing::pooled);
        add(R"(<p class="rank">{}{}: {}{}{}; <span class="whisker-key"></span> where the {} lies )"
            R"(with 95 % confidence</p>)",
            escape_html(in.quantity), pooled ? " of all rounds together" : "", good,
            escape_html(base), legend, pooled ? "true value" : "median");
    }

    void add_footnotes(const ranking& in) {
        std::string items;
        for (const auto& each : in.rows) {
            const auto add_item = [&](std::string_view text) {
                items += fmt::format(R"(<li><span class="place">{}:</span> {}</li>)",
                                     escape_html(each.row->variant), escape_html(text));
            };
            if (each.row->errors > 0) {
                add_item(digits(static_cast<double>(each.row->errors)) +
                         " of its requests failed.");
            }
            for (const auto& text : each.row->footnotes) add_item(text);
        }
        if (const auto rounds = told_rounds(in.from->rounds); !rounds.empty()) {
            items += fmt::format("<li>{}</li>", rounds);
        }
        if (!items.empty()) add(R"(<ul class="remarks">{}</ul>)", items);
    }

    void add_commands(const test_case& each) {
        const bool any = std::ranges::any_of(each.figures, [](const figure& row) {
            return !row.server_command.empty() || !row.load_command.empty();
        });
        if (!any) return;
        add(R"(<details class="commands"><summary>Commands</summary><dl>)");
        for (const auto& row : each.figures) {
            if (row.server_command.empty() && row.load_command.empty()) continue;
            add("<dt>{}</dt>", escape_html(row.variant));
            for (const auto& command : {row.server_command, row.load_command}) {
                if (!command.empty()) add("<dd><pre>{}</pre></dd>", escape_html(command));
            }
        }
        add("</dl></details>");
    }

    static bool is_drawable(const quantile& each) {
        return std::isfinite(each.share) && std::isfinite(each.seconds) && each.seconds > 0;
    }

    /// The x of a percentile: the logarithm of how rare larger values are, so that rare percentiles
    /// get as much space as common ones.
    static double rarity_of(double share) { return -std::log10(1 - std::max(0.0, share)); }

    static double rarest_of(const ranking& in) {
        double rarest = 1;
        for (const auto& row : in.rows) {
            for (const auto& each : row.row->latencies) {
                if (is_drawable(each) && each.share < 1)
                    rarest = std::max(rarest, rarity_of(each.share));
            }
        }
        return rarest;
    }

    void add_latencies(const ranking& in, bool with_case) {
        // The maximum has no fixed rarity: it stands a step beyond the others.
        constexpr double step = 0.6;
        const auto longest = rarest_of(in) + step;
        std::vector<plot_line> lines;
        std::vector<plot_plane::tick> ticks;
        double least = 0;
        double most = 0;
        for (const auto& row : in.rows) {
            plot_line line{row.row->variant, style_of(row.row->variant), {}};
            line.points.reserve(row.row->latencies.size());
            for (const auto& each : row.row->latencies) {
                if (!is_drawable(each)) continue;
                const auto x = each.share >= 1 ? longest : rarity_of(each.share);
                const auto label = shown_share(each.share);
                line.points.push_back({x, each.seconds, each.seconds, each.seconds,
                                       fmt::format("{}, {}: {}", row.row->variant, label,
                                                   shown_with_unit(each.seconds, "s"))});
                ticks.push_back({x, label});
                least = least > 0 ? std::min(least, each.seconds) : each.seconds;
                most = std::max(most, each.seconds);
            }
            lines.push_back(std::move(line));
        }
        if (ticks.empty()) return;
        std::ranges::sort(ticks, {}, &plot_plane::tick::x);
        const auto again = std::ranges::unique(ticks, {}, &plot_plane::tick::x);
        ticks.erase(again.begin(), again.end());
        // If latencies lie far apart, a linear axis shows nothing.
        constexpr double far = 30;
        plot_plane plane{.title = "Latencies by percentile",
                         .x_name = "percentile",
                         .y_name = "latency",
                         .units = scale_for(most, "s"),
                         .log_x = false,
                         .log_y = most / least > far,
                         .ticks = std::move(ticks)};
        add(R"(<p class="rank">latency by percentile{}, less is better</p>)",
            with_case ? ", " + escape_html(in.from->name) : std::string{});
        out_ += lines_on(plane, lines);
    }

    /// The variant that a plot is relative to, if its values lie so far apart that low ones could
    /// not be told from each other; else empty.
    static std::string base_of_scale(const std::vector<ranking>& points) {
        constexpr double far = 30;
        double least = 0;
        double most = 0;
        std::string base;
        for (const auto& point : points) {
            if (!point.base) return {};
            const auto& row = point.rows[*point.base];
            if (!base.empty() && row.row->variant != base) return {};
            base = row.row->variant;
            least = least > 0 ? std::min(least, row.value.median) : row.value.median;
            most = std::max(most, row.value.median);
        }
        return least > 0 && most / least >= far ? base : std::string{};
    }

    static double scale_of(const ranking& point, std::string_view relative) {
        return relative.empty() ? 1 : point.rows[*point.base].value.median;
    }

    void add_line(const group& of) {
        std::vector<ranking> points;
        points.reserve(of.cases.size());
        for (const auto* each : of.cases) points.push_back(rank(*each, base_));
        const auto& first = *of.cases.front();
        const auto& in = points.front();
        add(R"(<article class="case"><h3>{}</h3>)",
            escape_html(of.line.empty() ? fmt::format("by {}", first.axis) : std::string{of.line}));
        const bool one_question = std::ranges::all_of(
            of.cases, [&first](const test_case* c) { return c->question == first.question; });
        if (one_question && !first.question.empty()) {
            add(R"(<p class="question">{}</p>)", escape_html(first.question));
        }
        add_rank(in, line_legend);
        const auto relative = base_of_scale(points);
        double most = 0;
        for (const auto& point : points) {
            for (const auto& row : point.rows) {
                most = std::max(most, row.value.high / scale_of(point, relative));
            }
        }
        // From this range on, readers compare factors: 1, 4, 16 ...
        constexpr double wide = 8;
        const auto least_x = *of.cases.front()->x;
        plot_plane plane{.title = fmt::format("{} by {}", in.quantity, first.axis),
                         .x_name = first.axis,
                         .y_name = relative.empty() ? in.quantity
                                                    : fmt::format("{}, as a multiple of {}'s",
                                                                  in.quantity, relative),
                         .units = relative.empty() ? scale_for(most, in.unit) : scale{1, "×"},
                         .log_x = least_x > 0 && *of.cases.back()->x / least_x >= wide,
                         .log_y = false,
                         .ticks = {}};
        plane.ticks.reserve(of.cases.size());
        for (const auto* each : of.cases) {
            plane.ticks.push_back({*each->x, shown_place(*each->x, each->axis)});
        }
        std::vector<plot_line> lines;
        for (const auto& variant : variants_) {
            plot_line line{variant, style_of(variant), {}};
            for (const auto& point : points) {
                const auto row = point.find(variant);
                if (!row) continue;
                const auto& value = point.rows[*row].value;
                const auto one = scale_of(point, relative);
                line.points.push_back(
                    {*point.from->x, value.median / one, value.low / one, value.high / one,
                     fmt::format("{}, {}: {}", variant, shown_place(*point.from->x, first.axis),
                                 shown_with_unit(value.median, in.unit))});
            }
            if (!line.points.empty()) lines.push_back(std::move(line));
        }
        out_ += lines_on(plane, lines);
        out_ += matrix_of(points, lines, plane);
        for (const auto& each : points) add_latencies(each, true);
        for (std::size_t i = 0; i < points.size(); ++i) {
            add("<details><summary>Figures and commands: {}</summary>",
                escape_html(of.cases[i]->name));
            out_ += table_of(points[i]);
            add_footnotes(points[i]);
            add_commands(*of.cases[i]);
            add("</details>");
        }
        add("</article>");
    }

    void add_environment() {
        if (found_.environment.empty()) return;
        add(R"(<section id="environment"><h2>Environment</h2><div class="facts">)");
        std::vector<std::string_view> topics;
        for (const auto& each : found_.environment) {
            if (std::ranges::find(topics, each.topic) == topics.end()) {
                topics.emplace_back(each.topic);
            }
        }
        for (const auto topic : topics) {
            add(R"(<article class="card"><h3>{}</h3><dl>)", escape_html(topic));
            for (const auto& each : found_.environment) {
                if (each.topic != topic) continue;
                add("<dt>{}</dt><dd>{}</dd>", escape_html(each.name), escape_html(each.value));
            }
            add("</dl></article>");
        }
        add("</div></section>");
    }

    void add_warnings() {
        if (found_.warnings.empty()) return;
        add(R"(<section id="warnings"><h2>Warnings</h2><div class="case warnings"><ul>)");
        for (const auto& each : found_.warnings) add("<li>{}</li>", escape_html(each));
        add("</ul></div></section>");
    }

    const results& found_;
    baseline base_;
    std::vector<std::string_view> plans_;
    std::vector<answer> answers_;
    std::vector<std::string> variants_;  ///< variants of the current plan
    std::string out_;
};

}  // namespace

std::string as_html(const results& found, baseline base) {
    return html_page{found, base}.write();
}

}  // namespace sluice::lab
