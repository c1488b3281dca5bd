// Ctrl-C while something is measured: noticed at once, so that what was measured is kept.
#pragma once

#include <array>
#include <csignal>

#include "sluice/base/fd.hpp"

namespace sluice::lab {

/// While it lives, SIGINT, SIGTERM and SIGHUP are remembered instead of ending the process; the
/// second one ends it as it would have without. One at a time in the process.
class interruption {
 public:
    interruption();
    interruption(const interruption&) = delete;
    interruption& operator=(const interruption&) = delete;
    ~interruption();

    /// The first signal that came, or 0; 0 where nobody listens for one.
    [[nodiscard]] static int signal() noexcept;
    /// Becomes readable, and stays so, when one came: for poll(2).
    [[nodiscard]] int fd() const noexcept { return told_.get(); }

 private:
    unique_fd told_;
    std::array<struct sigaction, 3> before_{};
};

}  // namespace sluice::lab
