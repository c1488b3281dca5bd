// Metrics of a server that may be any: read and written, they are the same, and what `sluice top`
// makes of them is fit for a terminal and for a reader of JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "fuzz/input.hpp"
#include "sluice/base/check.hpp"
#include "sluice/cli/text.hpp"
#include "sluice/cli/top/summary.hpp"
#include "sluice/cli/top/view.hpp"
#include "sluice/metrics/collection.hpp"
#include "sluice/metrics/scrape.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::fuzz::scrape_target {
namespace {

using sluice::check;

bool is_same(double a, double b) {
    return a == b || (std::isnan(a) && std::isnan(b));
}

std::string written(const metrics::scrape& all) {
    std::string text;
    for (const auto& each : all.samples()) {
        std::string labels;
        for (const auto& [name, value] : each.labels) {
            labels = metrics::joined_labels(labels, metrics::label(name, value));
        }
        text += fmt::format("{}{{{}}} {}\n", each.name, labels, each.value);
    }
    return text;
}

std::optional<metrics::scrape> read(std::string_view text) {
    auto found = metrics::scrape::parse(text);
    if (!found) {
        check(!found.error().empty() && wire::is_printable(found.error()),
              "an error without fit words");
        return std::nullopt;
    }
    const auto again = metrics::scrape::parse(written(*found));
    check(again && std::ranges::equal(found->samples(), again->samples(),
                                      [](const auto& a, const auto& b) {
                                          return a.name == b.name && a.labels == b.labels &&
                                                 is_same(a.value, b.value);
                                      }),
          "metrics that change when they are read again");
    return std::move(*found);
}

void check_sums(const metrics::scrape& all) {
    for (const auto& each : all.samples()) {
        check(all.has(each.name), "a sample that is not there");
        for (const auto& [label, value] : each.labels) {
            const auto listed = all.values(each.name, label);
            check(value.empty() || value != each.label(label) ||
                      std::ranges::count(listed, value) == 1,
                  "a value of a label that is not listed once");
        }
    }
}

void check_view(const cli::top::summary& shown) {
    for (const std::size_t columns : {std::size_t{1}, std::size_t{40}, std::size_t{200}}) {
        constexpr std::size_t rows = 24;
        const auto lines = cli::top::draw("127.0.0.1:9090", shown, {},
                                          {.columns = columns, .rows = rows, .keys = true});
        check(lines.size() <= rows, "a window that overflows");
        for (const auto& line : lines) {
            check(line.size() <= columns, "a line that is wider than the window");
            check(wire::is_printable(line), "a line that a terminal obeys");
        }
    }
    auto text = cli::json_text(cli::top::to_json(shown));
    check(nlohmann::json::accept(text), "JSON that is none");
    check(text.ends_with('\n'), "JSON without the end of its line");
    text.pop_back();
    check(wire::is_printable(text), "JSON that a terminal obeys");
}

}  // namespace

/// Two scrapes, with an empty line between them.
void examine(std::string_view text) {
    const auto end = std::min(text.find("\n\n"), text.size());
    const auto before = read(text.substr(0, end));
    const auto now = read(text.substr(end));
    if (!before || !now) return;
    check_sums(*now);
    check_view(cli::top::summarize(*before, *now, 0.5, 1'800'000'000));
}

}  // namespace sluice::fuzz::scrape_target
