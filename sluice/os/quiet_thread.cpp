// Asks the scheduler for the last place.
#include "sluice/os/quiet_thread.hpp"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>

namespace sluice::os {

void let_others_go_first() noexcept {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
}

// Linux keeps a nice value for each thread (setpriority(2), "C library/kernel differences").
void stand_back() noexcept {
    constexpr int tenth = 10;
    ::setpriority(PRIO_PROCESS, 0, std::max(tenth, ::getpriority(PRIO_PROCESS, 0)));
}

}  // namespace sluice::os
