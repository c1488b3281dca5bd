// Implements lock_with_timeout(): polls flock(2) with LOCK_NB every 10 ms.
#include "sluice/lab/lock_with_timeout.hpp"

#include <sys/file.h>

#include <cerrno>
#include <thread>

namespace sluice::lab {

bool lock_with_timeout(int file, std::chrono::milliseconds timeout) {
    constexpr std::chrono::milliseconds pause{10};
    const auto end = std::chrono::steady_clock::now() + timeout;
    while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

}  // namespace sluice::lab
