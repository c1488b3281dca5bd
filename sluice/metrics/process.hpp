// What the kernel says about this process: memory, descriptors, CPU time.
#pragma once

#include <cstdint>

#include "sluice/metrics/collection.hpp"

namespace sluice::metrics {

/// The metrics process_... that Prometheus's own libraries give, those that can be read now, and
/// the CPU time of children that have ended. `started_ns`: when the process began, by
/// os::wall_ns(). Reads proc(5). Any thread.
[[nodiscard]] group process_group(std::int64_t started_ns);

}  // namespace sluice::metrics
