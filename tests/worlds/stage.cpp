// Implements the stage, and one run of a world.
#include "tests/worlds/stage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "sluice/os/kernel.hpp"
#include "sluice/sim/fail.hpp"

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
    kernel_.disk().faults() = {};
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

void stage::fail(std::string_view what) const {
    constexpr std::size_t last_calls = 200;
    fmt::print(stderr, "{}\nat {} ms of virtual time\nwho waits:\n{}\nthe last calls:\n{}\n", what,
               kernel_.scheduler().now() / sim::a_millisecond, kernel_.scheduler().who_waits(),
               how_.keep_trace ? kernel_.trace().text() : kernel_.trace().last(last_calls));
    std::fflush(nullptr);
    std::_Exit(failed_status);
}

std::uint64_t run(const world& w, const setting& how) {
    plant(how.planted);
    sim::simulated_kernel kernel{how.seed, how.rates(), how.keep_trace};
    const os::kernel_in_place in_place{kernel};
    const sim::reported in_reports{kernel};
    stage s{kernel, how};
    kernel.start_process("director", [&] {
        w.direct(s);
        // What is left of the world is of no interest.
        kernel.scheduler().stop();
    });
    kernel.scheduler().run();
    if (how.keep_trace) fmt::print("{}\n", kernel.trace().text());
    std::fflush(nullptr);
    return kernel.trace().hash();
}

}  // namespace sluice::worlds
