// Implements the draw of the rates of faults of programs, with the bound of each.
#include "tests/worlds/program_faults.hpp"

namespace sluice::worlds {

program_faults program_faults::draw(sim::random& from) noexcept {
    const auto one = [&from](double bound) noexcept { return from.rate_up_to(bound); };
    // The members in their order; an initializer list is evaluated from left to right.
    return {
        .slow_start = one(0.3),
        .banner = one(0.2),
        .ends_unasked = one(0.3),
        .stays = one(0.5),
        .slow = one(0.1),
        .split = one(0.5),
        .trickle = one(0.3),
        .ends = one(0.2),
        .hangs = one(0.1),
        .endless = one(0.1),
        .extra = one(0.2),
        .closes = one(0.1),
        .noisy = one(0.3),
    };
}

}  // namespace sluice::worlds
