// Implements world: a kernel from a seed, in place while its processes run.
#include "sluice/sim/world.hpp"

#include "sluice/sim/fail.hpp"

namespace sluice::sim {

fault_rates world::rates_of(const world_options& o) noexcept {
    if (o.faults) return *o.faults;
    // Of another generator than the kernel's, so that rates that are given change nothing else.
    random rates{~o.seed};
    return fault_rates::draw(rates);
}

world::world(const world_options& o) : kernel_{o.seed, rates_of(o), o.keep_trace} {}

world::~world() {
    // What fibers that never ended own closes descriptors of this kernel.
    const os::kernel_in_place in_place{kernel_};
    kernel_.shut();
}

void world::run() {
    const os::kernel_in_place in_place{kernel_};
    const reported in_reports{kernel_};
    kernel_.scheduler().run();
}

}  // namespace sluice::sim
