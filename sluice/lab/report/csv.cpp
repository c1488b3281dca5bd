// Implements as_csv(): rows, quoting, and protection against spreadsheet formulas.
#include "sluice/lab/report/csv.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "sluice/wire/text.hpp"

namespace sluice::lab {
namespace {

std::string cell(std::string_view text) {
    auto safe = wire::replace_invalid_utf8(text);
    // Spreadsheets evaluate cells that begin so (OWASP, "CSV Injection").
    if (!safe.empty() && std::string_view{"=+-@\t\r"}.contains(safe.front()))
        safe.insert(0, 1, '\'');
    if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
    std::string quoted = "\"";
    for (const char each : safe) {
        if (each == '"') quoted += '"';
        quoted += each;
    }
    return quoted + '"';
}

std::string cell(double number) {
    return std::isfinite(number) ? fmt::format("{}", number) : std::string{};
}

struct csv_row {
    std::string_view quantity;
    std::string_view unit;
    std::optional<std::size_t> round;
    std::optional<double> share;
    double value = 0;
};

}  // namespace

std::string as_csv(const results& found) {
    std::string out =
        "plan,case,line,axis,x,variant,quantity,unit,round,share,value,server_command,"
        "load_command\r\n";
    for (const auto& one : found.cases) {
        const auto about_case =
            fmt::format("{},{},{},{},{}", cell(one.plan), cell(one.name), cell(one.line),
                        cell(one.axis), one.x ? cell(*one.x) : std::string{});
        for (const auto& each : one.figures) {
            const auto add = [&](const csv_row& r) {
                out += fmt::format("{},{},{},{},{},{},{},{},{}\r\n", about_case, cell(each.variant),
                                   cell(r.quantity), cell(r.unit),
                                   r.round ? fmt::format("{}", *r.round) : std::string{},
                                   r.share ? cell(*r.share) : std::string{}, cell(r.value),
                                   cell(each.server_command), cell(each.load_command));
            };
            for (const auto& [name, unit, which, samples] : each.quantities) {
                for (std::size_t i = 0; i < samples.size(); ++i) {
                    add({name, unit, i + 1, std::nullopt, samples[i]});
                }
            }
            for (const auto& latency : each.latencies) {
                add({"latency", "s", std::nullopt, latency.share, latency.seconds});
            }
            add({"errors", "", std::nullopt, std::nullopt, static_cast<double>(each.errors)});
        }
        for (const auto& [name, count] :
             {std::pair{"rounds disturbed", one.rounds.disturbed},
              std::pair{"rounds dropped and repeated", one.rounds.repeated}}) {
            if (count > 0) out += fmt::format("{},,{},,,,{},,\r\n", about_case, name, count);
        }
    }
    return out;
}

}  // namespace sluice::lab
