// Implements watchdog by a timer of half the time that the manager allows.
#include "sluice/cli/watchdog.hpp"

#include <utility>

#include "sluice/cli/service_manager.hpp"

namespace sluice::cli {

watchdog::watchdog(io::engine& engine, std::function<bool()> turns)
    : timer{[](timer& t) noexcept { static_cast<watchdog&>(t).turn(); }},
      engine_{engine},
      turns_{std::move(turns)} {
    arm();
}

watchdog::~watchdog() {
    engine_.timers().disarm(*this);
}

void watchdog::arm() noexcept {
    if (manager().watchdog() == io::duration{}) return;
    engine_.timers().arm(*this, io::after(io::clock::now(), manager().watchdog()));
}

void watchdog::turn() noexcept {
    if (!turns_ || turns_()) manager().alive();
    // A successor that serves is watched from then on, and not this one.
    arm();
}

}  // namespace sluice::cli
