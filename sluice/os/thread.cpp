// Implements thread priorities over sched_setscheduler(2) and setpriority(2).
#include "sluice/os/thread.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

namespace sluice::os {

void set_idle_priority() noexcept {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
}

// Linux keeps a nice value per thread (setpriority(2), "C library/kernel differences").
void lower_priority() noexcept {
    constexpr int nice_value = 10;
    ::setpriority(PRIO_PROCESS, 0, std::max(nice_value, ::getpriority(PRIO_PROCESS, 0)));
}

}  // namespace sluice::os
