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

std::chrono::milliseconds stage::draw_time(std::chrono::milliseconds most) {
    constexpr double least = 10;
    return std::chrono::milliseconds{
        static_cast<std::int64_t>(chance_.log_uniform(least, static_cast<double>(most.count())))};
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

void stage::heal(std::span<sim::process* const> clients) {
    if (chance_.chance(0.5)) {
        constexpr double share_of_the_broken = 0.3;
        for (sim::process* each : clients) {
            if (!each->over() && chance_.chance(share_of_the_broken)) broken_.push_back(each);
        }
    }
    kernel_.heal([this](const sim::process& p) { return !is_in_core(p); });
    for (sim::process* each : broken_) {
        if (chance_.chance(0.5)) kernel_.scheduler().hold(*each, sim::never);
    }
}

bool stage::is_in_core(const sim::process& client) const noexcept {
    return std::ranges::find(broken_, &client) == broken_.end();
}

void stage::lose_the_broken() {
    for (sim::process* each : broken_) each->crash();
}

void stage::within(std::chrono::nanoseconds time, std::string_view what,
                   const std::function<bool()>& holds,
                   const std::function<std::string()>& pending) {
    constexpr std::int64_t longest_pause = 100 * sim::a_millisecond;
    const auto until = kernel_.scheduler().now() + time.count();
    for (std::int64_t pause = sim::a_millisecond; !holds();
         pause = std::min(2 * pause, longest_pause)) {
        if (kernel_.scheduler().now() >= until) {
            fail(fmt::format("not within {} ms: {}{}{}", time.count() / sim::a_millisecond, what,
                             pending ? "\nstill pending: " : "", pending ? pending() : ""));
        }
        const auto left = until - kernel_.scheduler().now();
        pass(std::chrono::nanoseconds{std::min(pause, left)});
    }
}

std::uint64_t run(const world& w, const setting& how) {
    plant(how.planted);
    draw_tls(how);
    sim::world made{{.seed = how.seed, .faults = how.rates().kernel, .keep_trace = how.keep_trace}};
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
