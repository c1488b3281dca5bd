// Implements thread priorities.
#include "sluice/os/thread.hpp"

namespace sluice::os {

void set_idle_priority() noexcept {
    constexpr int idle = 20;
    static_cast<void>(sys().lower_priority(idle));
}

void lower_priority() noexcept {
    constexpr int nice_value = 10;
    static_cast<void>(sys().lower_priority(nice_value));
}

}  // namespace sluice::os
