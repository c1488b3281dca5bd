// Sets what a signal does.
#pragma once

#include <csignal>

#include "sluice/os/kernel.hpp"

namespace sluice::os {

/// Sets what signal `number` does from now on: SIG_DFL, SIG_IGN or a handler, after which calls
/// restart (signal(2), "Portability"). Async-signal-safe.
inline void set_signal_action(int number, void (*action)(int)) noexcept {
    struct sigaction now{};
    now.sa_handler = action;
    now.sa_flags = SA_RESTART;
    static_cast<void>(sys().sigaction(number, &now, nullptr));
}

}  // namespace sluice::os
