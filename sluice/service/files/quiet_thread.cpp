// Asks the scheduler for the last place.
#include "sluice/service/files/quiet_thread.hpp"

#include <sched.h>

namespace sluice::service::files {

void let_others_go_first() noexcept {
    const sched_param none{};
    ::sched_setscheduler(0, SCHED_IDLE, &none);
}

}  // namespace sluice::service::files
