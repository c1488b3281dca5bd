// Implements the stage, and one run of a world.
#include "tests/worlds/stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "sluice/sim/world.hpp"

namespace sluice::worlds {

stage::stage(sim::simulated_kernel& kernel, const setting& how)
    : kernel_{kernel}, how_{how}, chance_{how.seed ^ 0x776f'726c'64U} {}

std::size_t stage::draw_clients(std::size_t low, std::size_t high) {
    const auto drawn = static_cast<std::size_t>(
        chance_.between(static_cast<std::int64_t>(low), static_cast<std::int64_t>(high)));
    return std::min<std::size_t>(drawn, std::max(1U, how_.most_clients));
}

sim::process& stage::start(std::string name, std::function<void()> run) {
    return kernel_.start_process(std::move(name), std::move(run));
}

void stage::pass(std::chrono::nanoseconds time) {
    // No call of the kernel, which would fill the trace.
    const auto until = kernel_.scheduler().now() + time.count();
    while (kernel_.scheduler().now() < until) {
        kernel_.scheduler().wait(until, "director", 0);
    }
}

void stage::heal() {
    kernel_.heal();
}

void stage::within(std::chrono::nanoseconds time, std::string_view what,
                   const std::function<bool()>& holds,
                   const std::function<std::string()>& pending) {
    constexpr std::chrono::milliseconds between_looks{10};
    const auto until = kernel_.scheduler().now() + time.count();
    while (!holds()) {
        if (kernel_.scheduler().now() >= until) {
            fail(fmt::format("not within {} ms: {}{}{}", time.count() / sim::a_millisecond, what,
                             pending ? "\nstill pending: " : "", pending ? pending() : ""));
        }
        pass(between_looks);
    }
}

std::uint64_t run(const world& w, const setting& how) {
    plant(how.planted);
    sim::world made{{.seed = how.seed, .faults = how.rates(), .keep_trace = how.keep_trace}};
    stage s{made.kernel(), how};
    made.start_process("director", [&] {
        w.direct(s);
        // What is left of the world is of no interest.
        made.kernel().scheduler().stop();
    });
    made.run();
    if (how.keep_trace) fmt::print("{}\n", made.kernel().trace().text());
    std::fflush(nullptr);
    return made.trace_hash();
}

}  // namespace sluice::worlds
