// Catches SIGINT, SIGTERM and SIGHUP during a measurement, so that its results are kept.
#pragma once

#include <array>
#include <csignal>

#include "sluice/os/wakeup.hpp"

namespace sluice::lab {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP is recorded instead of ending the process; a
/// second signal has its default effect. At most one object in the process. The destructor restores
/// the handlers.
class interruption {
 public:
    interruption();
    interruption(const interruption&) = delete;
    interruption& operator=(const interruption&) = delete;
    ~interruption();

    /// The number of the first signal, or 0; 0 while no interruption exists.
    [[nodiscard]] static int signal() noexcept;
    /// An eventfd for poll(2): readable from the first signal on.
    [[nodiscard]] int fd() const noexcept { return wakeup_.fd(); }

 private:
    os::wakeup wakeup_;
    std::array<struct sigaction, 3> before_{};
};

}  // namespace sluice::lab
