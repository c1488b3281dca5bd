// Defines plans: the cases of a plan and the variants that each case compares.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/histogram.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/testbed.hpp"

namespace sluice::lab {

/// One quantity of a sample. The first quantity of a sample is the one that variants are ranked by.
struct quantity {
    std::string name;
    std::string unit;
    better which = better::neither;
    double value = 0;
};

/// The measurements of one variant in one round.
struct sample {
    std::vector<quantity> quantities;
    histogram latencies;
    std::uint64_t errors = 0;
    /// Share of the time that server or load waited in a run queue (0 to 1); 0 if they share cores.
    double run_queue_wait = 0;
    std::string server_command;
    std::string load_command;
    std::vector<std::string> footnotes;  ///< footnotes known only after the measurement
};

struct variant {
    std::string name;
    std::vector<std::string> footnotes;
    /// Takes one sample and blocks until it is done. The error is a sentence without its full stop.
    std::function<std::expected<sample, std::string>()> take;
};

struct planned_case {
    test_case about;  ///< the case, with no figures yet
    std::vector<variant> variants;
    /// Rounds per turn of the case: above 1 where rounds are cheap and differences small.
    std::size_t rounds_a_turn = 1;
};

/// The position of a case on the axis of a plot.
struct point {
    std::string line;
    std::string axis;
    double x = 0;
};
/// A case without figures; without `position` it belongs to no line of a plot.
[[nodiscard]] test_case describe(std::string plan, std::string name, std::string question,
                                 const std::optional<point>& position = {});

/// A plan and its command-line name, in the order in which `all` runs the plans.
struct named_plan {
    std::string_view name;
    std::string_view description;  ///< for --help
    /// The cases refer to `bed`, which must outlive them. The error is a sentence without its full
    /// stop.
    std::expected<std::vector<planned_case>, std::string> (*cases)(testbed& bed);
    bool alone = false;  ///< `all` leaves it out
};
[[nodiscard]] const std::vector<named_plan>& all_plans();

using plan_cases = std::expected<std::vector<planned_case>, std::string>;
[[nodiscard]] plan_cases chat_plan(testbed& bed);
[[nodiscard]] plan_cases copy_plan(testbed& bed);
[[nodiscard]] plan_cases download_plan(testbed& bed);
[[nodiscard]] plan_cases echo_plan(testbed& bed);
[[nodiscard]] plan_cases models_plan(testbed& bed);
[[nodiscard]] plan_cases same_plan(testbed& bed);
[[nodiscard]] plan_cases upload_plan(testbed& bed);

/// Adds the quantities that every figure has: CPU time of both sides, context switches and system
/// calls, each per `unit_amount` of `amount`: ("GiB", 2^30) for bytes, ("message", 1) for others.
void add_costs(sample& into, const outcome& seen, std::string_view unit, double unit_amount);

/// A sample whose rate is `amount` per second.
[[nodiscard]] sample sample_of_messages(measured_run run, std::string_view unit);

/// Ranks a sample by its p99 latency instead of its rate: for runs at a constant rate, where only
/// the latency can differ.
void rank_by_latency(sample& of);

}  // namespace sluice::lab
