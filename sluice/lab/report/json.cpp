// Implements as_json() and read_json() with nlohmann::json; errors name their place in the file.
#include "sluice/lab/report/json.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "sluice/lab/statistics.hpp"
#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view format_name = "sluice lab";

std::string_view to_text(better which) {
    switch (which) {
        case better::higher: return "higher";
        case better::lower: return "lower";
        case better::neither: break;
    }
    return "neither";
}

json to_json(const series& each) {
    const auto found = median_of(each.samples);
    json written{{"name", each.name},
                 {"unit", each.unit},
                 {"better", to_text(each.which)},
                 {"samples", each.samples}};
    if (found.count > 0) {
        written["median"] = found.median;
        written["interval"] = {found.low, found.high};
    }
    return written;
}

json to_json(const figure& each) {
    json quantities = json::array();
    for (const auto& one : each.quantities) quantities.push_back(to_json(one));
    json latencies = json::array();
    for (const auto& [share, seconds, low, high] : each.latencies) {
        latencies.push_back({{"share", share}, {"seconds", seconds}});
        if (high > 0) latencies.back().update({{"low", low}, {"high", high}});
    }
    return {{"variant", each.variant},           {"server_command", each.server_command},
            {"load_command", each.load_command}, {"quantities", std::move(quantities)},
            {"latencies", std::move(latencies)}, {"errors", each.errors},
            {"remarks", each.footnotes}};
}

json to_json(const test_case& each) {
    json figures = json::array();
    for (const auto& one : each.figures) figures.push_back(to_json(one));
    return {{"plan", each.plan},
            {"name", each.name},
            {"question", each.question},
            {"line", each.line},
            {"axis", each.axis},
            {"x", each.x ? json(*each.x) : json(nullptr)},
            {"rounds",
             {{"counted", each.rounds.counted},
              {"disturbed", each.rounds.disturbed},
              {"repeated", each.rounds.repeated}}},
            {"figures", std::move(figures)}};
}

json to_json(const fact& each) {
    return {{"topic", each.topic},
            {"name", each.name},
            {"value", each.value},
            {"must_match", each.must_match}};
}

/// The error of a report that cannot be read. Thrown and caught in this file alone.
struct report_error {
    std::string why;
};

/// A value of the file and its path.
class json_place {
 public:
    json_place(const json& value, std::string path) : value_{&value}, path_{std::move(path)} {}

    [[nodiscard]] json_place at(std::string_view key) const {
        if (!value_->is_object()) refuse("an object");
        const auto found = value_->find(key);
        const auto path = path_.empty() ? std::string{key} : fmt::format("{}.{}", path_, key);
        if (found == value_->end()) throw report_error{fmt::format("{} is missing", path)};
        return {*found, path};
    }

    template <class T>
    [[nodiscard]] std::vector<T> all(T (*read)(const json_place&)) const {
        if (!value_->is_array()) refuse("an array");
        std::vector<T> read_so_far;
        read_so_far.reserve(value_->size());
        for (std::size_t i = 0; i < value_->size(); ++i) {
            read_so_far.push_back(read({(*value_)[i], fmt::format("{}[{}]", path_, i)}));
        }
        return read_so_far;
    }

    [[nodiscard]] bool has(std::string_view key) const {
        return value_->is_object() && value_->contains(key);
    }
    [[nodiscard]] bool is_null() const { return value_->is_null(); }

    [[nodiscard]] std::string text() const {
        if (!value_->is_string()) refuse("a string");
        return value_->get<std::string>();
    }
    [[nodiscard]] double number() const {
        if (!value_->is_number()) refuse("a number");
        return value_->get<double>();
    }
    [[nodiscard]] bool boolean() const {
        if (!value_->is_boolean()) refuse("true or false");
        return value_->get<bool>();
    }
    [[nodiscard]] std::uint64_t count() const {
        if (!value_->is_number_unsigned()) refuse("a whole number from 0");
        return value_->get<std::uint64_t>();
    }

    [[noreturn]] void refuse(std::string_view expected) const {
        const auto* found = value_->is_structured() || value_->is_null() ? "" : "a ";
        throw report_error{fmt::format("{}: {} is expected, not {}{}",
                                       path_.empty() ? "the whole" : path_, expected, found,
                                       value_->is_object()  ? "an object"
                                       : value_->is_array() ? "an array"
                                                            : value_->type_name())};
    }

 private:
    const json* value_;
    std::string path_;
};

std::string text_from(const json_place& from) {
    return from.text();
}

double sample_from(const json_place& from) {
    return from.is_null() ? std::numeric_limits<double>::quiet_NaN() : from.number();
}

better better_from(const json_place& from) {
    const auto word = from.text();
    for (const auto each : {better::higher, better::lower, better::neither}) {
        if (word == to_text(each)) return each;
    }
    from.refuse(R"("higher", "lower" or "neither")");
}

series series_from(const json_place& from) {
    return {.name = from.at("name").text(),
            .unit = from.at("unit").text(),
            .which = better_from(from.at("better")),
            .samples = from.at("samples").all(sample_from)};
}

quantile quantile_from(const json_place& from) {
    quantile found{.share = sample_from(from.at("share")),
                   .seconds = sample_from(from.at("seconds"))};
    if (from.has("high")) {
        found.low = from.at("low").number();
        found.high = from.at("high").number();
    }
    return found;
}

figure figure_from(const json_place& from) {
    return {.variant = from.at("variant").text(),
            .server_command = from.at("server_command").text(),
            .load_command = from.at("load_command").text(),
            .quantities = from.at("quantities").all(series_from),
            .latencies = from.at("latencies").all(quantile_from),
            .errors = from.at("errors").count(),
            .footnotes = from.at("remarks").all(text_from)};
}

/// Older reports have no counts of rounds.
round_count rounds_from(const json_place& from) {
    if (!from.has("rounds")) return {};
    const auto rounds = from.at("rounds");
    return {.counted = rounds.at("counted").count(),
            .disturbed = rounds.at("disturbed").count(),
            .repeated = rounds.at("repeated").count()};
}

test_case case_from(const json_place& from) {
    const auto x = from.at("x");
    return {.plan = from.at("plan").text(),
            .name = from.at("name").text(),
            .question = from.at("question").text(),
            .line = from.at("line").text(),
            .axis = from.at("axis").text(),
            .x = x.is_null() ? std::nullopt : std::optional{x.number()},
            .figures = from.at("figures").all(figure_from),
            .rounds = rounds_from(from)};
}

fact fact_from(const json_place& from) {
    return {.topic = from.at("topic").text(),
            .name = from.at("name").text(),
            .value = from.at("value").text(),
            .must_match = from.at("must_match").boolean()};
}

results results_from(const json_place& from) {
    return {.command = from.at("command").text(),
            .started = from.at("started").text(),
            .seconds = from.at("seconds").number(),
            .interrupted = from.at("interrupted").boolean(),
            .environment = from.at("environment").all(fact_from),
            .cases = from.at("cases").all(case_from),
            .warnings = from.at("warnings").all(text_from)};
}

/// Throws report_error unless the file is a lab report of a known version.
void check_format(const json& whole) {
    const auto format = whole.is_object() ? whole.find("format") : whole.end();
    if (!whole.is_object() || format == whole.end() || *format != json(format_name)) {
        throw report_error{
            "it is JSON, but not a report of the lab; `sluice lab ... --json FILE` writes one"};
    }
    const auto version = json_place{whole, {}}.at("version").count();
    if (version != json_version) {
        throw report_error{fmt::format(
            "its version is {}, and this sluice reads version {}; measure again with this one, or "
            "use a sluice that wrote it",
            version, json_version)};
    }
}

}  // namespace

std::string as_json(const results& found) {
    json environment = json::array();
    for (const auto& each : found.environment) environment.push_back(to_json(each));
    json cases = json::array();
    for (const auto& each : found.cases) cases.push_back(to_json(each));
    const json whole{{"format", format_name},
                     {"version", json_version},
                     {"command", found.command},
                     {"started", found.started},
                     {"seconds", std::isfinite(found.seconds) ? found.seconds : 0},
                     {"interrupted", found.interrupted},
                     {"environment", std::move(environment)},
                     {"cases", std::move(cases)},
                     {"warnings", found.warnings}};
    return whole.dump(1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::expected<results, std::string> read_json(std::string_view text) {
    const auto whole = json::parse(text, nullptr, false);
    if (whole.is_discarded()) return std::unexpected{std::string{"it is not JSON"}};
    try {
        check_format(whole);
        return results_from({whole, {}});
    } catch (const report_error& found) {
        return std::unexpected{wire::printable(found.why)};
    }
}

}  // namespace sluice::lab
