// Defines the list of plans and the sample functions that plans share.
#include "sluice/lab/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sluice::lab {

const std::vector<named_plan>& all_plans() {
    static const std::vector<named_plan> plans{
        {"copy", "From file to file, every way, with cold and warm page cache", copy_plan},
        {"download", "From file to socket, every way, with one client and several", download_plan},
        {"upload", "From socket to file, every way, with one client and several", upload_plan},
        {"models", "Request and reply under every model, over clients and work", models_plan},
        {"chat", "One message to many: engines, over members", chat_plan},
        {"echo", "Small messages back and forth: engines, over connections and sizes", echo_plan},
        {"same", "One server under two names: the lab's own mistakes", same_plan, true},
    };
    return plans;
}

test_case describe(std::string plan, std::string name, std::string question,
                   const std::optional<point>& position) {
    test_case made;
    made.plan = std::move(plan);
    made.name = std::move(name);
    made.question = std::move(question);
    if (position) {
        made.line = position->line;
        made.axis = position->axis;
        made.x = position->x;
    }
    return made;
}

void add_costs(sample& into, const outcome& seen, std::string_view unit, double unit_amount) {
    const double units = seen.amount / unit_amount;
    if (units <= 0) return;
    const auto add = [&](std::string name, std::string of, double value) {
        into.quantities.push_back({.name = std::move(name),
                                   .unit = std::move(of),
                                   .which = better::lower,
                                   .value = value / units});
    };
    const auto seconds = fmt::format("s/{}", unit);
    const auto times = fmt::format("1/{}", unit);
    if (seen.server) {
        add("server CPU", seconds, seen.server->cpu);
        add("load CPU", seconds, std::max(0.0, seen.load.cpu - seen.idle));
        if (seen.server->switches) add("context switches", times, *seen.server->switches);
        if (seen.server->calls) add("system calls", times, *seen.server->calls);
    } else {
        add("CPU", seconds, seen.load.cpu);
        if (seen.load.switches) add("context switches", times, *seen.load.switches);
    }
}

sample sample_of_messages(measured_run run, std::string_view unit) {
    sample s;
    const auto& seen = run.seen;
    s.quantities.push_back({.name = "rate",
                            .unit = "1/s",
                            .which = better::higher,
                            .value = seen.seconds > 0 ? seen.amount / seen.seconds : 0});
    add_costs(s, seen, unit, 1);
    s.errors = seen.errors;
    s.run_queue_wait = run.run_queue_wait;
    s.latencies = seen.latencies;
    s.server_command = std::move(run.server_command);
    s.load_command = std::move(run.load_command);
    return s;
}

void rank_by_latency(sample& of) {
    of.quantities.front().which = better::neither;
    of.quantities.insert(of.quantities.begin(),
                         {.name = "p99",
                          .unit = "s",
                          .which = better::lower,
                          .value = static_cast<double>(of.latencies.at(0.99)) * 1e-9});
}

}  // namespace sluice::lab
