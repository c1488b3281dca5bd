// Implements the exposition: puts the samples of each metric together, and names them.
#include "sluice/metrics/exposition.hpp"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <iterator>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/http/accept.hpp"

namespace sluice::metrics {
namespace {

constexpr std::uint64_t nanoseconds_of_second = 1'000'000'000;
constexpr std::string_view ending_of_counters = "_total";

/// A metric: its name without the ending of counters, and the lines of its samples.
struct family {
    std::string name;
    std::string_view type;
    std::string help;
    std::string lines = {};
};

std::string escaped(std::string_view text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || (quotes && c == '"')) out += '\\';
        if (c == '\n') {
            out += "\\n";
        } else {
            out += c;
        }
    }
    return out;
}

/// Seconds, exactly, without zeros at the end.
std::string seconds_of(std::uint64_t nanoseconds) {
    auto text = fmt::format("{}.{:09}", nanoseconds / nanoseconds_of_second,
                            nanoseconds % nanoseconds_of_second);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text;
}

std::string value_of(const sample& s) {
    return s.in == unit::nanoseconds ? seconds_of(s.value) : std::to_string(s.value);
}

std::string_view ending_of(unit u) noexcept {
    switch (u) {
        case unit::none: break;
        case unit::bytes: return "_bytes";
        case unit::nanoseconds: return "_seconds";
    }
    return {};
}

/// The families in the order in which they first come.
class families {
 public:
    explicit families(format f) noexcept : format_{f} {}

    void add(const group& of, const sample& s) {
        if (s.type == kind::listed) return;
        const bool counts = s.type == kind::counter;
        auto name =
            fmt::format("{}_{}{}", of.part, s.metric.empty() ? s.name : s.metric, ending_of(s.in));
        family& into = find(std::move(name), counts ? "counter" : "gauge", help_of(of, s));
        const auto labels = joined_labels(of.labels, s.labels);
        add_line(into, counts ? ending_of_counters : "", labels, value_of(s));
    }

    void add(const group& of, const durations& d) {
        family& into =
            find(fmt::format("{}_{}_seconds", of.part, d.metric), "histogram", std::string{d.help});
        const auto labels = joined_labels(of.labels, d.labels);
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < d.counted.counts.size(); ++i) {
            count += d.counted.counts.at(i);
            const auto bound =
                i < latency_bounds.size() ? seconds_of(latency_bounds.at(i)) : std::string{"+Inf"};
            add_line(into, "_bucket", joined_labels(labels, label("le", bound)),
                     std::to_string(count));
        }
        add_line(into, "_sum", labels, seconds_of(d.counted.sum_ns));
        add_line(into, "_count", labels, std::to_string(count));
    }

    [[nodiscard]] std::string text() const {
        std::string out;
        for (const auto& each : all_) {
            // OpenMetrics names a counter without its ending, and escapes quotes in its help.
            const bool open = format_ == format::openmetrics;
            const auto ending = each.type == "counter" && !open ? ending_of_counters : "";
            fmt::format_to(std::back_inserter(out), "# HELP {0}{1} {2}\n# TYPE {0}{1} {3}\n",
                           each.name, ending, escaped(each.help, open), each.type);
            out += each.lines;
        }
        if (format_ == format::openmetrics) out += "# EOF\n";
        return out;
    }

 private:
    static std::string help_of(const group& of, const sample& s) {
        if (!s.help.empty()) return std::string{s.help};
        return fmt::format("{}, {}: {}", of.title, s.name, s.description);
    }

    family& find(std::string name, std::string_view type, std::string help) {
        const auto [at, is_new] = index_.try_emplace(name, all_.size());
        if (is_new) all_.push_back({std::move(name), type, std::move(help)});
        return all_.at(at->second);
    }

    static void add_line(family& into, std::string_view ending, std::string_view labels,
                         std::string_view value) {
        const bool plain = labels.empty();
        fmt::format_to(std::back_inserter(into.lines), "{}{}{}{}{} {}\n", into.name, ending,
                       plain ? "" : "{", labels, plain ? "" : "}", value);
    }

    format format_;
    std::vector<family> all_;
    std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace

std::string label(std::string_view name, std::string_view value) {
    return fmt::format("{}=\"{}\"", name, escaped(value, true));
}

std::string joined_labels(std::string_view a, std::string_view b) {
    return fmt::format("{}{}{}", a, a.empty() || b.empty() ? "" : ",", b);
}

std::string_view media_type_of(format f) noexcept {
    return f == format::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                    : "text/plain; version=0.0.4; charset=utf-8";
}

format preferred_format(std::string_view accept) noexcept {
    constexpr std::array<std::string_view, 2> offers{"text/plain; version=0.0.4",
                                                     "application/openmetrics-text; version=1.0.0"};
    if (accept.empty()) return format::prometheus;
    return http::best_of(accept, offers) == 1 ? format::openmetrics : format::prometheus;
}

std::string expose(const collection& all, format f) {
    families found{f};
    for (const auto& each : all.groups()) {
        for (const auto& one : each.samples) found.add(each, one);
        for (const auto& one : each.histograms) found.add(each, one);
    }
    return found.text();
}

}  // namespace sluice::metrics
