// Implements as_text(): lays tables out in the columns of the terminal.
#include "sluice/lab/report/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/lab/report/findings.hpp"
#include "sluice/lab/report/quantity.hpp"
#include "sluice/lab/report/ranking.hpp"
#include "sluice/lab/statistics.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

constexpr std::size_t narrowest = 40;
constexpr std::size_t least_bar = 8;
constexpr std::size_t widest_bar = 40;
constexpr std::size_t widest_name = 24;
constexpr std::string_view gap = "  ";

/// The number of characters, which is the width of this text on a terminal.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char each) { return (static_cast<unsigned char>(each) & 0xc0U) != 0x80U; }));
}

std::string padded(std::string_view text, std::size_t width, bool to_the_right) {
    const auto has = width_of(text);
    const std::string padding(has < width ? width - has : 0, ' ');
    return to_the_right ? padding + std::string{text} : std::string{text} + padding;
}

/// A column of a table, set flush right, except the names.
struct text_column {
    std::string title;
    std::string unit;  ///< shown below the title
    std::vector<std::string> cells;

    [[nodiscard]] std::size_t width() const {
        auto most = std::max(width_of(title), width_of(unit));
        for (const auto& each : cells) most = std::max(most, width_of(each));
        return most;
    }
};

class text_page {
 public:
    text_page(const results& found, const text_form& form) : found_{found}, form_{form} {
        form_.columns = std::max(form_.columns, narrowest);
    }

    std::string write() {
        if (!form_.answers_last) add_answers();
        for (const auto& each : found_.cases) add_case(each);
        add_end();
        if (form_.answers_last) add_answers();
        return std::move(out_);
    }

 private:
    /// Replaces characters that this terminal cannot show; escapes nothing.
    [[nodiscard]] std::string for_terminal(std::string_view text) const {
        if (form_.unicode) return std::string{text};
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text.substr(i).starts_with("µ")) {
                plain += 'u';
                ++i;
            } else {
                plain += text[i];
            }
        }
        return plain;
    }

    /// Text from outside, escaped for this terminal.
    [[nodiscard]] std::string safe(std::string_view text) const {
        return for_terminal(wire::printable(text));
    }

    [[nodiscard]] std::string styled(std::string_view text, std::string_view code) const {
        if (!form_.colour || text.empty()) return std::string{text};
        return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
    }

    /// Wraps words; the first line begins with `lead`, the others are indented by its width.
    void add_paragraph(std::string_view lead, std::string_view text) {
        const auto shown = safe(text);
        const auto indent = width_of(lead);
        std::string line{lead};
        std::size_t used = indent;
        bool fresh = true;
        for (std::size_t at = 0; at < shown.size();) {
            const auto end = std::min(shown.find(' ', at), shown.size());
            const auto word = std::string_view{shown}.substr(at, end - at);
            at = end + 1;
            if (!fresh && used + 1 + width_of(word) > form_.columns) {
                out_ += line + '\n';
                line.assign(indent, ' ');
                used = indent;
                fresh = true;
            }
            if (!fresh) {
                line += ' ';
                ++used;
            }
            line += word;
            used += width_of(word);
            fresh = false;
        }
        out_ += line + '\n';
    }

    void add_heading(std::string_view text) {
        if (!out_.empty()) out_ += '\n';
        out_ += styled(safe(text), "1") + '\n';
    }

    void add_answers() {
        if (found_.interrupted) {
            add_paragraph("", "Interrupted: this is what was measured until then.");
        }
        const auto answers = answers_of(found_, form_.base);
        if (answers.empty()) {
            add_paragraph("", "Nothing was measured, so there is nothing to answer.");
            return;
        }
        const auto* bullet = form_.unicode ? " • " : " * ";
        for (std::size_t i = 0; i < answers.size();) {
            const auto& each = answers[i];
            if (i == 0 || each.plan != answers[i - 1].plan) add_heading(each.plan);
            // The findings of one place are one paragraph.
            auto text = each.place.empty() ? std::string{} : each.place + ": ";
            text += each.sentence;
            for (++i; i < answers.size() && answers[i].plan == each.plan &&
                      answers[i].place == each.place;
                 ++i) {
                text += ' ' + answers[i].sentence;
            }
            add_paragraph(bullet, text);
        }
    }

    [[nodiscard]] std::string bar(double share, std::size_t width) const {
        const auto cells = std::clamp(share, 0.0, 1.0) * static_cast<double>(width);
        if (!form_.unicode) {
            return std::string(static_cast<std::size_t>(std::lround(cells)), '#');
        }
        static constexpr std::array<std::string_view, 8> eighths{"",  "▏", "▎", "▍",
                                                                 "▌", "▋", "▊", "▉"};
        const auto parts = static_cast<std::size_t>(std::lround(cells * 8));
        std::string drawn;
        for (std::size_t i = 0; i < parts / 8; ++i) drawn += "█";
        return drawn.append(eighths.at(parts % 8));
    }

    static text_column variants_of(const ranking& in) {
        text_column names;
        for (const auto& each : in.rows) {
            auto name = wire::printable(each.row->variant);
            if (width_of(name) > widest_name) {
                name = std::string{wire::truncate_utf8(name, widest_name - 2)} + "..";
            }
            if (each.where != place::behind && in.rows.size() > 1) {
                name += each.where == place::best ? " *" : " ?";
            }
            names.cells.push_back(std::move(name));
        }
        return names;
    }

    [[nodiscard]] text_column medians_of(const ranking& in, const scale& units) const {
        text_column values{safe(in.quantity), safe(units.unit), {}};
        for (const auto& each : in.rows) {
            values.cells.push_back(each.value.count == 0 ? "-" : shown(each.value.median, units));
        }
        return values;
    }

    static text_column intervals_of(const ranking& in, const scale& units) {
        text_column values{"95 %", "", {}};
        for (const auto& each : in.rows) {
            values.cells.push_back(each.value.count < 2
                                       ? "-"
                                       : fmt::format("{} to {}", shown(each.value.low, units),
                                                     shown(each.value.high, units)));
        }
        return values;
    }

    /// Ratios to the base, with "=" for a tie and "?" for an unknown outcome.
    static text_column ratios_of(const ranking& in) {
        text_column values{"ratio", "", {}};
        for (std::size_t i = 0; i < in.rows.size(); ++i) {
            const auto& each = in.rows[i];
            if (each.value.count == 0 || i == in.base) {
                values.cells.emplace_back(each.value.count == 0 ? "- " : "base ");
                continue;
            }
            const auto* mark = each.to_base.outcome == comparison_outcome::tie       ? "="
                               : each.to_base.outcome == comparison_outcome::unknown ? "?"
                                                                                     : " ";
            values.cells.push_back(shown_ratio(each.to_base.ratio) + mark);
        }
        return values;
    }

    [[nodiscard]] std::optional<text_column> other_of(const ranking& in,
                                                      std::string_view name) const {
        std::vector<estimate> found;
        std::string unit;
        double most = 0;
        for (const auto& row : in.rows) {
            const auto* each = find_series(*row.row, name);
            found.push_back(each == nullptr ? estimate{} : median_of(each->samples));
            if (each != nullptr) unit = each->unit;
            most = std::max(most, std::abs(found.back().median));
        }
        if (std::ranges::all_of(found, [](const estimate& each) { return each.count == 0; })) {
            return std::nullopt;
        }
        const auto units = scale_for(most, unit);
        text_column values{safe(name), safe(units.unit), {}};
        for (const auto& each : found) {
            values.cells.push_back(each.count == 0 ? "-" : shown(each.median, units));
        }
        return values;
    }

    /// Adds a column per percentile that any variant has.
    void add_latencies(const ranking& in, std::vector<text_column>& into) const {
        std::vector<double> shares;
        double most = 0;
        for (const auto& row : in.rows) {
            for (const auto& [share, seconds, low, high] : row.row->latencies) {
                if (!std::isfinite(share) || !std::isfinite(seconds)) continue;
                if (std::ranges::find(shares, share) == shares.end()) shares.push_back(share);
                most = std::max(most, seconds);
            }
        }
        std::ranges::sort(shares);
        for (const auto share : shares) {
            // The ranked percentile has a column already.
            if (shown_share(share) == in.quantity) continue;
            // A table has space for the common percentiles only.
            if (share != 0.5 && share != 0.9 && share != 0.99 && share != 0.999 && share < 1)
                continue;
            double longest = 0;
            const auto value_of = [share](const standing& row) -> std::optional<double> {
                const auto found = std::ranges::find(row.row->latencies, share, &quantile::share);
                if (found == row.row->latencies.end()) return std::nullopt;
                return found->seconds;
            };
            for (const auto& row : in.rows) longest = std::max(longest, value_of(row).value_or(0));
            const auto units = scale_for(longest, "s");
            text_column values{shown_share(share), for_terminal(units.unit), {}};
            for (const auto& row : in.rows) {
                const auto value = value_of(row);
                values.cells.push_back(value ? shown(*value, units) : "-");
            }
            into.push_back(std::move(values));
        }
    }

    /// Adds a row per variant with the given columns and with bars of width `bars`; 0 draws none.
    void add_table(const ranking& in, const text_column& names,
                   const std::vector<text_column>& columns, std::size_t bars) {
        const auto name_width = names.width();
        const auto head = [&](auto part) {
            std::string line(name_width + (bars > 0 ? gap.size() + bars : 0), ' ');
            for (const auto& each : columns) {
                line += std::string{gap} + padded(part(each), each.width(), true);
            }
            while (line.ends_with(' ')) line.pop_back();
            if (!line.empty()) out_ += styled(line, "2") + '\n';
        };
        head([](const text_column& each) -> const std::string& { return each.title; });
        head([](const text_column& each) -> const std::string& { return each.unit; });
        double most = 0;
        for (const auto& each : in.rows) most = std::max(most, each.value.median);
        for (std::size_t i = 0; i < in.rows.size(); ++i) {
            const auto where = in.rows[i].where;
            auto line = padded(names.cells[i], name_width, false);
            if (where == place::best) line = styled(line, "1");
            if (bars > 0) {
                const auto share = most > 0 ? in.rows[i].value.median / most : 0;
                const auto drawn = bar(share, bars);
                line += std::string{gap} +
                        styled(drawn, where == place::best     ? "36"
                                      : where == place::unsure ? "33"
                                                               : "2") +
                        std::string(bars - std::min(bars, width_of(drawn)), ' ');
            }
            for (const auto& each : columns) {
                line += std::string{gap} + padded(each.cells[i], each.width(), true);
            }
            while (line.ends_with(' ')) line.pop_back();
            out_ += line + '\n';
        }
    }

    void add_case(const test_case& each) {
        const auto in = rank(each, form_.base);
        add_heading(fmt::format("{}: {}", each.plan, each.name));
        if (!each.question.empty()) add_paragraph("", each.question);
        if (in.rows.empty()) {
            add_paragraph("", "Not measured.");
            return;
        }
        double most = 0;
        for (const auto& row : in.rows) most = std::max(most, row.value.high);
        const auto units = scale_for(most, in.unit);
        const auto names = variants_of(in);
        std::vector<text_column> columns{medians_of(in, units), intervals_of(in, units)};
        if (in.rows.size() > 1) columns.push_back(ratios_of(in));
        std::vector<text_column> more;
        for (const auto& name : other_quantities(in)) {
            if (auto other = other_of(in, name)) more.push_back(std::move(*other));
        }
        add_latencies(in, more);
        auto used = names.width();
        for (const auto& one : columns) used += gap.size() + one.width();
        const auto bar_space = form_.bars ? gap.size() + least_bar + 2 : 0;
        std::size_t taken = 0;
        while (taken < more.size() &&
               used + gap.size() + more[taken].width() + bar_space <= form_.columns) {
            used += gap.size() + more[taken].width();
            columns.push_back(more[taken++]);
        }
        const auto left = form_.columns > used + gap.size() ? form_.columns - used - gap.size() : 0;
        const auto bars = form_.bars && left >= least_bar ? std::min(left, widest_bar) : 0;
        add_table(in, names, columns, bars);
        more.erase(more.begin(), more.begin() + static_cast<std::ptrdiff_t>(taken));
        while (!more.empty()) add_rest(in, names, more);
        add_footnotes(in);
    }

    /// Adds a table of as many remaining columns as fit side by side.
    void add_rest(const ranking& in, const text_column& names, std::vector<text_column>& more) {
        std::vector<text_column> columns;
        auto used = names.width();
        while (!more.empty() &&
               (columns.empty() || used + gap.size() + more.front().width() <= form_.columns)) {
            used += gap.size() + more.front().width();
            columns.push_back(std::move(more.front()));
            more.erase(more.begin());
        }
        out_ += '\n';
        add_table(in, names, columns, 0);
    }

    void add_footnotes(const ranking& in) {
        for (const auto& each : in.rows) {
            if (each.row->errors > 0) {
                add_paragraph("  ", fmt::format("{}: {} of its requests failed.", each.row->variant,
                                                digits(static_cast<double>(each.row->errors))));
            }
            for (const auto& text : each.row->footnotes) {
                add_paragraph("  ", fmt::format("{}: {}", each.row->variant, text));
            }
        }
        if (const auto rounds = told_rounds(in.from->rounds); !rounds.empty())
            add_paragraph("  ", rounds);
    }

    void add_end() {
        if (!found_.cases.empty()) {
            out_ += '\n';
            add_paragraph(
                "",
                "Medians of the rounds (p99: of all rounds together), with the intervals they lie "
                "in "
                "(95 %). * behind a name: the best, or no difference from it; ?: it may be the "
                "best, and nobody can tell. = behind a ratio to the base: no difference within "
                "10 %; ?: cannot tell.");
        }
        if (!found_.environment.empty()) {
            add_heading("Where");
            std::string_view topic;
            std::string line;
            for (const auto& each : found_.environment) {
                if (each.topic != topic) {
                    if (!line.empty()) add_paragraph("  ", line);
                    line = each.topic + ": ";
                } else {
                    line += "; ";
                }
                topic = each.topic;
                line += fmt::format("{} {}", each.name, each.value);
            }
            add_paragraph("  ", line);
        }
        if (!found_.warnings.empty()) {
            out_ += '\n' + styled("Warnings", "1;33") + '\n';
            for (const auto& each : found_.warnings) {
                add_paragraph(form_.unicode ? " • " : " ! ", each);
            }
        }
    }

    const results& found_;
    text_form form_;
    std::string out_;
};

}  // namespace

std::string told_rounds(const round_count& of) {
    if (of.repeated == 0 && of.disturbed == 0) return {};
    auto text = fmt::format("Rounds that count: {}.", of.counted);
    if (of.disturbed > 0) text += fmt::format(" Disturbed among them: {}.", of.disturbed);
    if (of.repeated > 0) {
        text += fmt::format(" Disturbed, dropped and repeated: {}.", of.repeated);
    }
    return text;
}

std::string as_text(const results& found, const text_form& form) {
    return text_page{found, form}.write();
}

}  // namespace sluice::lab
