// Made-up runs of the lab, for tests of its reports.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sluice/lab/results.hpp"

namespace sluice::lab {

/// Seven rounds around `median`, with a noise of a per cent or so that differs by `turn`.
inline std::vector<double> around(double median, std::size_t turn = 0) {
    constexpr std::size_t rounds = 7;
    constexpr double step = 0.004;
    std::vector<double> made;
    for (std::size_t i = 0; i < rounds; ++i) {
        const auto place = static_cast<double>((i * 3 + turn * 5) % rounds) - 3;
        made.push_back(median * (1 + place * step));
    }
    return made;
}

inline figure moved_by(std::string variant, double rate, double cpu, std::size_t turn = 0) {
    return {.variant = std::move(variant),
            .server_command = "sluice files offer data",
            .load_command = "sluice lab load",
            .quantities = {{"rate", "B/s", better::higher, around(rate, turn)},
                           {"server CPU", "s/GiB", better::lower, around(cpu, turn)}},
            .latencies = {},
            .errors = 0,
            .footnotes = {}};
}

inline test_case case_of(std::string plan, std::string name, std::vector<figure> figures) {
    return {.plan = std::move(plan),
            .name = std::move(name),
            .question = "Which is the fastest?",
            .line = {},
            .axis = {},
            .x = std::nullopt,
            .figures = std::move(figures),
            .rounds = {}};
}

/// A download, whose sendfile is 2.1 times as fast as read-send at 0.4 times the CPU, a copy that
/// is eight times as fast warm as cold, and models that change places as clients come.
inline results sample_run() {
    constexpr double gib = 1024.0 * 1024 * 1024;
    results made{
        .command = "sluice lab all --quick",
        .started = "2026-03-01T10:00:00Z",
        .seconds = 100,
        .interrupted = false,
        .environment = {{"kernel", "release", "6.18.5", true}, {"processor", "model", "One", true}},
        .cases = {},
        .warnings = {"Somebody else was using the machine."}};
    auto warm = case_of(
        "download", "warm, 1 client",
        {moved_by("read-send", 1.5 * gib, 0.5), moved_by("sendfile-cork", 3.15 * gib, 0.2, 1),
         moved_by("splice", 3.15 * gib, 0.21, 2), moved_by("sendfile", 2 * gib, 0.3)});
    warm.figures[0].latencies = {{0.5, 0.001}, {0.99, 0.01}, {1, 0.5}};
    warm.figures[3].footnotes = {"It sends small segments."};
    warm.figures[3].errors = 2;
    warm.rounds = {.counted = 7, .disturbed = 1, .repeated = 3};
    made.cases.push_back(std::move(warm));
    made.cases.push_back(case_of("copy", "cold", {moved_by("splice", 0.2 * gib, 1)}));
    made.cases.push_back(case_of("copy", "warm", {moved_by("splice", 1.6 * gib, 1)}));
    for (const double clients : {1.0, 4.0, 16.0, 64.0}) {
        const auto answers = [clients](std::string variant, double rate) {
            return figure{.variant = std::move(variant),
                          .server_command = {},
                          .load_command = {},
                          .quantities = {{"rate", "1/s", better::higher,
                                          around(rate * std::min(clients, 8.0), 3)}},
                          .latencies = {},
                          .errors = 0,
                          .footnotes = {}};
        };
        auto point = case_of("models", "fib, " + std::to_string(static_cast<int>(clients)),
                             {answers("sync", clients == 1 ? 1200 : 1000),
                              answers("event", clients == 1 ? 1000 : 2000)});
        point.line = "fib";
        point.axis = "clients";
        point.x = clients;
        made.cases.push_back(std::move(point));
    }
    return made;
}

/// One whose every text is an attack on who shows it.
inline results hostile_run() {
    const std::string attack =
        "\"><script>alert(1)</script>&amp;'\x1b[31m\n=cmd(),\xff\xfe\u202e-->]]>{}\\";
    const figure bad{.variant = attack,
                     .server_command = attack,
                     .load_command = attack,
                     .quantities = {{attack, attack, better::higher, around(5)},
                                    {"server CPU", attack, better::lower, around(1)}},
                     .latencies = {{0.5, 1}, {1, 2}},
                     .errors = 1,
                     .footnotes = {attack}};
    auto other = bad;
    other.variant = "other";
    auto one = case_of(attack, attack, {bad, other});
    one.question = attack;
    auto point = one;
    point.line = attack;
    point.axis = attack;
    point.x = 1;
    auto next = point;
    next.x = 64;
    auto last = point;
    last.x = 4096;
    return {.command = attack,
            .started = attack,
            .seconds = 1,
            .interrupted = true,
            .environment = {{attack, attack, attack, true}},
            .cases = {one, point, next, last},
            .warnings = {attack}};
}

/// One in which all that can be missing or no number is.
inline results odd_run() {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double infinite = std::numeric_limits<double>::infinity();
    const auto with = [](std::vector<double> samples) {
        auto made = moved_by("v", 1, 1);
        made.quantities[0].samples = std::move(samples);
        return made;
    };
    auto no_latency = with({1, 2, 3});
    no_latency.latencies = {{nan, nan}, {0.5, infinite}, {2, -1}, {0, 0}};
    figure bare;
    auto lone = case_of("line", "a", {with({1, 2, 3})});
    lone.x = nan;
    auto origin = case_of("line", "b", {with({0, 0, 0}), bare});
    origin.x = 0;
    origin.axis = "clients";
    auto same = origin;
    return {.command = {},
            .started = {},
            .seconds = nan,
            .interrupted = true,
            .environment = {},
            .cases = {case_of("empty", "none", {}), case_of("empty", "bare", {bare}),
                      case_of("odd", "no number", {with({nan, infinite, -infinite})}),
                      case_of("odd", "one", {with({7}), with({8})}),
                      case_of("odd", "zero", {with({0, 0, 0}), with({0, 0, 0}), with({5, 5, 5})}),
                      case_of("odd", "negative", {with({-1, -2, -3}), no_latency}),
                      case_of("odd", "vast", {with({1e308, 1e308, 1e308}), with({1e-308, 0, 0})}),
                      lone, origin, same, origin},
            .warnings = {}};
}

}  // namespace sluice::lab
