// What is to be measured: cases, each with the variants that are compared in it.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/lab/histogram.hpp"
#include "sluice/lab/results.hpp"
#include "sluice/lab/rig.hpp"

namespace sluice::lab {

/// One number of one sample; the first of a sample is the one that variants are ranked by.
struct quantity {
    std::string name;
    std::string unit;
    better which = better::neither;
    double value = 0;
};

/// What one variant gave in one round.
struct sample {
    std::vector<quantity> quantities;
    histogram latencies;
    std::uint64_t errors = 0;
    /// The share of the time in which server or load stood ready and had no core, where each had
    /// cores of its own.
    double kept_off = 0;
    std::string server_command;
    std::string load_command;
    std::vector<std::string> remarks;  ///< those that only measuring brings to light
};

struct variant {
    std::string name;
    std::vector<std::string> remarks;
    /// Takes one sample. The error is a sentence without its full stop.
    std::function<std::expected<sample, std::string>()> take;
};

struct planned_case {
    test_case about;  ///< without figures
    std::vector<variant> variants;
    /// More than one for what is cheap and of which small differences are to be seen.
    std::size_t rounds_a_turn = 1;
};

/// Where a case stands on the axis of a plot.
struct point {
    std::string line;
    std::string axis;
    double x = 0;
};
/// A case without its figures; without a point it is no part of a line.
[[nodiscard]] test_case describe(std::string plan, std::string name, std::string question,
                                 const std::optional<point>& where = {});

/// Every plan with its name, in the order of `all`.
struct named_plan {
    std::string_view name;
    std::string_view description;  ///< for the help
    /// The cases refer to `where`, which outlives them. The error is a sentence without its full
    /// stop.
    std::expected<std::vector<planned_case>, std::string> (*cases)(rig& where);
    bool alone = false;  ///< no part of `all`
};
[[nodiscard]] const std::vector<named_plan>& all_plans();

using plan_cases = std::expected<std::vector<planned_case>, std::string>;
[[nodiscard]] plan_cases chat_plan(rig& where);
[[nodiscard]] plan_cases copy_plan(rig& where);
[[nodiscard]] plan_cases download_plan(rig& where);
[[nodiscard]] plan_cases echo_plan(rig& where);
[[nodiscard]] plan_cases models_plan(rig& where);
[[nodiscard]] plan_cases same_plan(rig& where);
[[nodiscard]] plan_cases upload_plan(rig& where);

/// The quantities that come with every figure: CPU time of both sides, context switches and system
/// calls, each per `unit_amount` of `amount`: ("GiB", 2^30) for bytes, ("message", 1) for others.
void add_costs(sample& into, const outcome& seen, std::string_view unit, double unit_amount);

/// A sample of a run whose rate is `amount` a second.
[[nodiscard]] sample sample_of_messages(measured_run run, std::string_view unit);

/// Makes p99 what a sample is ranked by: of one whose rate was given, so that what there is to
/// compare is how long a message took.
void rank_by_latency(sample& of);

}  // namespace sluice::lab
