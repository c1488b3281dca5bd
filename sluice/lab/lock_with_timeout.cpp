// Implements lock_with_timeout(): polls flock(2) with LOCK_NB every 10 ms.
#include "sluice/lab/lock_with_timeout.hpp"

#include <sys/file.h>

#include <cerrno>

#include "sluice/io/timer.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::lab {

bool lock_with_timeout(int file, std::chrono::milliseconds timeout) {
    constexpr std::chrono::milliseconds pause{10};
    const auto end = io::clock::now() + timeout;
    for (;;) {
        const int failed = os::sys().flock(file, LOCK_EX | LOCK_NB);
        if (failed == 0) return true;
        if (failed != -EWOULDBLOCK || io::clock::now() >= end) return false;
        os::sleep_for(pause);
    }
}

}  // namespace sluice::lab
