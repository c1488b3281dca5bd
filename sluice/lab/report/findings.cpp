// Implements answers_of(): turns rankings into sentences.
#include "sluice/lab/report/findings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/report/ranking.hpp"
#include "sluice/lab/statistics.hpp"

namespace sluice::lab {
namespace {

/// The noun for a plan's rate in 1/s.
std::string_view unit_noun(std::string_view plan) {
    if (plan == "echo") return "messages";
    if (plan == "chat") return "deliveries";
    if (plan == "models" || plan == "compute") return "answers";
    return "operations";
}

/// "moved 2.11 x as many bytes a second as read-send (1.90 to 2.31)".
std::string format_ratio(const ranking& in, const comparison& to, std::string_view other) {
    const auto ratio = shown_ratio(to.ratio);
    const auto interval = fmt::format("({} to {})", shown_ratio(to.low), shown_ratio(to.high));
    if (in.unit == "B/s") {
        return fmt::format("moved {} x as many bytes a second as {} {}", ratio, other, interval);
    }
    if (in.unit == "1/s") {
        return fmt::format("had {} x as many {} a second as {} {}", ratio, unit_noun(in.from->plan),
                           other, interval);
    }
    // "p99" names itself; a time without a name needs none.
    if (in.unit == "s" && !in.quantity.starts_with('p')) {
        return fmt::format("took {} x the time of {} {}", ratio, other, interval);
    }
    return fmt::format("had {} x the {} of {} {}", ratio, in.quantity, other, interval);
}

/// "a GiB", "an answer".
std::string with_article(std::string_view what) {
    const bool vowel = !what.empty() && std::string_view{"aeiou"}.contains(what.front());
    return fmt::format("{} {}", vowel ? "an" : "a", what);
}

std::optional<std::string_view> name_of_cpu(const ranking& in, std::size_t row) {
    for (const auto& each : in.rows[row].row->quantities) {
        if (each.name == "server CPU" || each.name == "CPU") return each.name;
    }
    return std::nullopt;
}

/// ", at 0.40 x the server CPU a GiB"; empty if not measured.
std::string format_cpu(const ranking& in, std::size_t row, std::size_t other) {
    const auto name = name_of_cpu(in, row);
    const auto cpu = name ? in.compare_rows(row, other, *name) : std::nullopt;
    if (!cpu || cpu->outcome == comparison_outcome::unknown) return {};
    if (cpu->outcome == comparison_outcome::tie) {
        return fmt::format(", at the same {} within {}", *name, shown_within(cpu->within()));
    }
    const std::string_view unit = find_series(*in.rows[row].row, *name)->unit;
    const auto slash = unit.find('/');
    const auto each = slash == std::string_view::npos ? std::string{}
                                                      : ' ' + with_article(unit.substr(slash + 1));
    return fmt::format(", at {} x the {}{}", shown_ratio(cpu->ratio), *name, each);
}

bool differs(const comparison& found) {
    return found.outcome == comparison_outcome::better ||
           found.outcome == comparison_outcome::worse;
}

std::vector<std::string> names_of_leaders(const ranking& in) {
    std::vector<std::string> names;
    for (const auto& each : in.rows) {
        if (each.leads) names.push_back(each.row->variant);
    }
    return names;
}

std::size_t count_measured(const ranking& in) {
    return static_cast<std::size_t>(
        std::ranges::count_if(in.rows, [](const standing& each) { return each.value.count > 0; }));
}

bool has_intervals(const ranking& in) {
    return std::ranges::all_of(in.rows, [](const standing& each) {
        return each.value.count == 0 || each.to_base.outcome != comparison_outcome::unknown ||
               each.to_base.has_interval;
    });
}

answer make_finding(const ranking& in, std::string sentence, const comparison* shown = nullptr) {
    answer made{.plan = in.from->plan,
                .place = in.from->name,
                .sentence = std::move(sentence),
                .headline = {},
                .ratio = 1};
    if (shown != nullptr) {
        made.headline = shown_ratio(shown->ratio) + " x";
        made.ratio = shown->ratio;
    }
    return made;
}

/// Pairs of variants that reports compare whichever variant is best.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> pairs{
    {{"sendfile-cork", "read-send"},
     {"sendfile-cork", "sendfile"},
     {"uring", "epoll"},
     {"event uring", "event epoll"}}};

/// Adds the differences of these pairs, with `lead` before each, unless best and base are the pair.
void add_pairs(const ranking& in, std::string_view place, std::string_view lead,
               std::vector<answer>& into) {
    for (const auto& [one, other] : pairs) {
        const auto a = in.find(one);
        const auto b = in.find(other);
        if (!a || !b || (in.best == a && in.base == b)) continue;
        const auto found = in.compare_rows(*a, *b, in.quantity);
        if (!found || !differs(*found)) continue;
        into.push_back({in.from->plan, std::string{place},
                        fmt::format("{}{} {}{}.", lead, one, format_ratio(in, *found, other),
                                    format_cpu(in, *a, *b)),
                        shown_ratio(found->ratio) + " x", found->ratio});
    }
}

/// "a had 0.29 to 3.45 x the rate of b", for the leader with the widest interval to the best.
std::string format_least_certain(const ranking& in) {
    const standing* least_certain = nullptr;
    for (const auto& each : in.rows) {
        if (!each.leads || &each == &in.rows[*in.best] ||
            each.to_best.outcome != comparison_outcome::unknown || !each.to_best.has_interval) {
            continue;
        }
        if (least_certain == nullptr || each.to_best.within() > least_certain->to_best.within()) {
            least_certain = &each;
        }
    }
    if (least_certain == nullptr) return "there were too few rounds";
    return fmt::format("{} had {} to {} x the {} of {}", least_certain->row->variant,
                       shown_ratio(least_certain->to_best.low),
                       shown_ratio(least_certain->to_best.high), in.quantity,
                       in.rows[*in.best].row->variant);
}

/// A sentence for several leaders: no difference, or cannot tell; empty for a single leader.
std::optional<std::string> format_tie(const ranking& in) {
    const auto names = names_of_leaders(in);
    if (names.size() < 2) return std::nullopt;
    if (!in.is_sure()) {
        return fmt::format("Cannot tell which of {} is ahead: {}.", joined(names),
                           format_least_certain(in));
    }
    double within = 0;
    for (const auto& each : in.rows) {
        if (each.leads) within = std::max(within, each.to_best.within());
    }
    return fmt::format("No difference within {} between {}.", shown_within(within), joined(names));
}

void add_case(const ranking& in, std::vector<answer>& into) {
    const auto measured = count_measured(in);
    if (measured == 0 || !in.base) return;
    const auto& first = in.rows[*in.base];
    if (measured == 1) {
        into.push_back(
            make_finding(in, fmt::format("{}: {} of {}.", first.row->variant, in.quantity,
                                         shown_with_unit(first.value.median, in.unit))));
        return;
    }
    if (!has_intervals(in)) {
        into.push_back(make_finding(in, "Too few rounds to tell a difference from noise."));
        return;
    }
    if (!in.best) return;
    const auto& best = in.rows[*in.best];
    const auto& base = in.rows[*in.base];
    if (in.best != in.base && differs(best.to_base)) {
        into.push_back(make_finding(in,
                                    fmt::format("{} {}{}.", best.row->variant,
                                                format_ratio(in, best.to_base, base.row->variant),
                                                format_cpu(in, *in.best, *in.base)),
                                    &best.to_base));
    } else if (in.leaders() == 1) {
        into.push_back(
            make_finding(in, fmt::format("Nothing was ahead of {}.", best.row->variant)));
    }
    if (auto tie = format_tie(in)) into.push_back(make_finding(in, std::move(*tie)));
    add_pairs(in, in.from->name, {}, into);
}

/// A line of a plot: its cases in the order of the axis.
struct line {
    const test_case* first = nullptr;
    std::vector<ranking> points;
};

/// "1", "4 to 64".
std::string format_positions(const line& of, std::size_t from, std::size_t to) {
    const auto place = [&of](std::size_t i) {
        return shown_place(*of.points[i].from->x, of.first->axis);
    };
    return from == to ? place(from) : fmt::format("{} to {}", place(from), place(to));
}

/// "64 clients", "1 client", "16 KiB a message", "n of fib(n) = 30".
std::string format_position(const ranking& point) {
    constexpr std::string_view bytes = "bytes ";
    const std::string_view axis = point.from->axis;
    const auto place = shown_place(*point.from->x, axis);
    if (axis.contains('(')) return fmt::format("{} = {}", axis, place);
    if (place.ends_with('B') && axis.starts_with(bytes)) {
        return fmt::format("{} {}", place, axis.substr(bytes.size()));
    }
    const bool one = place == "1" && axis.ends_with('s') && !axis.contains(' ');
    return fmt::format("{} {}", place, one ? axis.substr(0, axis.size() - 1) : axis);
}

constexpr std::string_view no_difference = "no difference";
constexpr std::string_view cannot_tell = "cannot tell";

/// The leaders at a position of the axis; empty with a single variant.
std::string format_leaders(const ranking& point) {
    if (count_measured(point) < 2) return {};
    const auto names = names_of_leaders(point);
    if (!has_intervals(point)) return std::string{cannot_tell};
    if (names.size() == 1) return names.front();
    if (!point.is_sure()) {
        return names.size() == count_measured(point)
                   ? std::string{cannot_tell}
                   : fmt::format("{} which of {}", cannot_tell, joined(names));
    }
    return names.size() == count_measured(point) ? std::string{no_difference} : joined(names);
}

/// Adds the findings of one position on a line.
void add_point(const ranking& point, std::string_view place, std::vector<answer>& into) {
    if (!point.best || !point.base || !has_intervals(point)) return;
    const auto lead = fmt::format("At {}, ", format_position(point));
    const auto& best = point.rows[*point.best];
    if (point.best != point.base && differs(best.to_base)) {
        into.push_back(
            {point.from->plan, std::string{place},
             fmt::format("{}{} {}{}.", lead, best.row->variant,
                         format_ratio(point, best.to_base, point.rows[*point.base].row->variant),
                         format_cpu(point, *point.best, *point.base)),
             shown_ratio(best.to_base.ratio) + " x", best.to_base.ratio});
    }
    add_pairs(point, place, lead, into);
}

void add_line(const line& of, std::vector<answer>& into) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from < of.points.size();) {
        const auto leaders = format_leaders(of.points[from]);
        auto to = from;
        while (to + 1 < of.points.size() && format_leaders(of.points[to + 1]) == leaders) ++to;
        if (!leaders.empty())
            parts.push_back(fmt::format("{} at {}", leaders, format_positions(of, from, to)));
        from = to + 1;
    }
    if (parts.empty()) return;
    const auto& place = of.first->line;
    std::string sentence = fmt::format("Ahead, by {}:", of.first->axis);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        sentence += (i == 0 ? " " : "; ") + parts[i];
    }
    if (parts.size() == 1 &&
        (parts.front().starts_with(no_difference) || parts.front().starts_with(cannot_tell))) {
        sentence = fmt::format("Nothing was ahead, by {}: {}", of.first->axis, parts.front());
    }
    into.push_back({of.first->plan, place, sentence + '.', {}, 1});
    // Up to two points get a sentence each; of more, only the last, with the heaviest load.
    constexpr std::size_t few = 2;
    for (std::size_t i = of.points.size() <= few ? 0 : of.points.size() - 1; i < of.points.size();
         ++i) {
        add_point(of.points[i], place, into);
    }
}

/// `name` with "cold" replaced by "warm"; empty without "cold".
std::optional<std::string> warm_name_of(std::string_view name) {
    const auto at = name.find("cold");
    if (at == std::string_view::npos) return std::nullopt;
    auto warm = std::string{name};
    return warm.replace(at, 4, "warm");
}

/// The leader with the narrowest interval that `other` has, too.
std::optional<std::size_t> most_certain_leader(const ranking& in, const ranking& other) {
    std::optional<std::size_t> most_certain;
    for (std::size_t i = 0; i < in.rows.size(); ++i) {
        const auto& each = in.rows[i];
        if (!each.leads || !other.find(each.row->variant)) continue;
        if (!most_certain || each.value.spread() < in.rows[*most_certain].value.spread())
            most_certain = i;
    }
    return most_certain;
}

/// Adds the effect of the page cache: a leading variant, warm against cold.
void add_cache_effect(const test_case& cold, const test_case& warm, baseline base,
                      std::vector<answer>& into) {
    const auto warm_ranking = rank(warm, base);
    const auto cold_ranking = rank(cold, base);
    if (!warm_ranking.best || warm_ranking.unit != cold_ranking.unit ||
        warm_ranking.quantity != cold_ranking.quantity)
        return;
    const auto chosen = most_certain_leader(warm_ranking, cold_ranking);
    if (!chosen) return;
    const auto& best = warm_ranking.rows[*chosen];
    const auto other = cold_ranking.find(best.row->variant);
    const auto found = compare(best.ranked->samples, cold_ranking.rows[*other].ranked->samples,
                               warm_ranking.which, {.may_pair = false});
    answer made{.plan = warm.plan, .place = {}, .sentence = {}, .headline = {}, .ratio = 1};
    const auto what = warm.name == "warm" ? std::string{} : fmt::format(", {}", warm.name);
    if (found.outcome == comparison_outcome::tie) {
        made.sentence =
            fmt::format("No difference within {3} between a warm {0} and a cold one ({1}{2}).",
                        warm.plan, best.row->variant, what, shown_within(found.within()));
    } else if (differs(found)) {
        const auto speed = warm_ranking.which == better::lower ? 1 / found.ratio : found.ratio;
        const auto low = warm_ranking.which == better::lower ? 1 / found.high : found.low;
        const auto high = warm_ranking.which == better::lower ? 1 / found.low : found.high;
        made.sentence = fmt::format("A warm {} was {} x as fast as a cold one ({}{}; {} to {}).",
                                    warm.plan, shown_ratio(speed), best.row->variant, what,
                                    shown_ratio(low), shown_ratio(high));
        made.headline = shown_ratio(speed) + " x";
        made.ratio = speed;
    } else {
        return;
    }
    into.push_back(std::move(made));
}

/// Whether a case has a position on an axis.
bool is_point(const test_case& each) {
    return each.x && std::isfinite(*each.x);
}

std::vector<line> lines_of(const results& found, std::string_view plan, baseline base) {
    std::vector<line> lines;
    for (const auto& each : found.cases) {
        if (!is_point(each) || each.plan != plan) continue;
        auto known = std::ranges::find_if(
            lines, [&each](const line& l) { return l.first->line == each.line; });
        if (known == lines.end()) {
            lines.push_back({&each, {}});
            known = lines.end() - 1;
        }
        const auto place = std::ranges::upper_bound(known->points, *each.x, {},
                                                    [](const ranking& p) { return *p.from->x; });
        known->points.insert(place, rank(each, base));
    }
    return lines;
}

void add_plan(const results& found, std::string_view plan, baseline base,
              std::vector<answer>& into) {
    for (const auto& each : found.cases) {
        if (each.plan == plan && !is_point(each)) add_case(rank(each, base), into);
    }
    for (const auto& each : lines_of(found, plan, base)) {
        if (each.points.size() > 1) {
            add_line(each, into);
        } else {
            add_case(each.points.front(), into);
        }
    }
    for (const auto& cold : found.cases) {
        const auto name = cold.plan == plan ? warm_name_of(cold.name) : std::nullopt;
        if (!name) continue;
        const auto warm = std::ranges::find_if(found.cases, [&](const test_case& each) {
            return each.plan == plan && each.name == *name;
        });
        if (warm != found.cases.end()) add_cache_effect(cold, *warm, base, into);
    }
}

}  // namespace

std::vector<std::string_view> plans_of(const results& found) {
    std::vector<std::string_view> plans;
    for (const auto& each : found.cases) {
        if (std::ranges::find(plans, each.plan) == plans.end()) plans.emplace_back(each.plan);
    }
    return plans;
}

std::vector<answer> answers_of(const results& found, baseline base) {
    std::vector<answer> made;
    for (const auto plan : plans_of(found)) add_plan(found, plan, base, made);
    return made;
}

}  // namespace sluice::lab
