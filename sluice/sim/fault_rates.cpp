// Implements the draw of fault rates, with the bound of each.
#include "sluice/sim/fault_rates.hpp"

namespace sluice::sim {

fault_rates fault_rates::draw(random& from) noexcept {
    const auto one = [&from](double bound) noexcept { return from.rate_up_to(bound); };
    // The members in their order; an initializer list is evaluated from left to right.
    return {
        .short_write = one(0.5),
        .short_arrival = one(0.5),
        .single_byte = one(0.1),
        .not_now = one(0.3),
        .delay = one(0.5),
        .clog = one(0.02),
        .stuck = one(0.005),
        .reset = one(0.05),
        .gone = one(0.005),
        .refused = one(0.3),
        .unanswered = one(0.05),
        .ended_at_once = one(0.1),
        .aborted = one(0.2),
        .no_descriptor = one(0.1),
        .no_memory = one(0.1),
        .interrupted = one(0.3),
        .spurious = one(0.2),
        .no_thread = one(0.3),
        .short_splice = one(0.5),
        .wall_jump = one(0.01),
        .process_stall = one(0.0005),
        // Asked once a ring, and so mostly certain.
        .ring_small = one(10.0),
        .ring_refused = one(0.3),
        .ring_busy = one(0.5),
        .ring_ended = one(0.3),
        .ring_late = one(0.3),
        .ring_cancel = one(0.5),
        .ring_again = one(0.2),
        .ring_no_buffer = one(0.2),
        .no_process = one(0.3),
    };
}

}  // namespace sluice::sim
