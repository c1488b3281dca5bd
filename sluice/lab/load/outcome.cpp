// Serialises and parses the outcome of a load.
#include "sluice/lab/load/outcome.hpp"

#include <fmt/format.h>

#include <sstream>

namespace sluice::lab {
namespace {

void append(std::string& text, std::string_view prefix, const usage& u) {
    text += fmt::format("{}_cpu_seconds {:.9f}\n{}_waited_seconds {:.9f}\n", prefix, u.cpu, prefix,
                        u.waited);
    if (u.switches) text += fmt::format("{}_switches {:.0f}\n", prefix, *u.switches);
    if (u.calls) text += fmt::format("{}_calls {:.0f}\n", prefix, *u.calls);
}

bool take(usage& u, std::string_view name, double value) {
    if (name == "cpu_seconds") {
        u.cpu = value;
    } else if (name == "waited_seconds") {
        u.waited = value;
    } else if (name == "switches") {
        u.switches = value;
    } else if (name == "calls") {
        u.calls = value;
    } else {
        return false;
    }
    return true;
}

/// False if the number is no count.
bool take(std::uint64_t& count, double value) {
    constexpr double beyond = 0x1p64;
    if (value < 0 || value >= beyond) return false;
    count = static_cast<std::uint64_t>(value);
    return true;
}

bool take(outcome& o, std::string_view name, double value) {
    constexpr std::string_view load = "load_";
    constexpr std::string_view server = "server_";
    if (name.starts_with(load)) return take(o.load, name.substr(load.size()), value);
    if (name.starts_with(server)) {
        if (!o.server) o.server.emplace();
        return take(*o.server, name.substr(server.size()), value);
    }
    if (name == "errors") return take(o.errors, value);
    if (name == "turns") return take(o.turns, value);
    if (name == "seconds") {
        o.seconds = value;
    } else if (name == "whole_seconds") {
        o.whole_seconds = value;
    } else if (name == "amount") {
        o.amount = value;
    } else if (name == "idle_seconds") {
        o.idle = value;
    } else {
        return false;
    }
    return true;
}

}  // namespace

std::string to_text(const outcome& o) {
    std::string text =
        fmt::format("seconds {:.9f}\namount {:.0f}\nerrors {}\nidle_seconds {:.9f}\n", o.seconds,
                    o.amount, o.errors, o.idle);
    if (o.whole_seconds > 0) text += fmt::format("whole_seconds {:.9f}\n", o.whole_seconds);
    if (o.turns > 0) text += fmt::format("turns {}\n", o.turns);
    append(text, "load", o.load);
    if (o.server) append(text, "server", *o.server);
    for (const auto& cell : o.latencies.cells()) {
        text += fmt::format("cell {} {}\n", cell.most, cell.count);
    }
    return text + "end\n";
}

std::optional<outcome> read_outcome(std::string_view text) {
    outcome o;
    std::istringstream lines{std::string{text}};
    for (std::string line; std::getline(lines, line);) {
        if (line == "end") return o;
        std::istringstream words{line};
        std::string name;
        words >> name;
        if (name == "cell") {
            std::uint64_t most = 0;
            std::uint64_t count = 0;
            if (!(words >> most >> count)) return std::nullopt;
            o.latencies.add(most, count);
            continue;
        }
        double value = 0;
        if (!(words >> value) || !take(o, name, value)) return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace sluice::lab
