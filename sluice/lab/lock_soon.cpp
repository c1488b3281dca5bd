// flock(2), again and again.
#include "sluice/lab/lock_soon.hpp"

#include <sys/file.h>

#include <cerrno>
#include <thread>

namespace sluice::lab {

bool lock_soon(int file, std::chrono::milliseconds patience) {
    constexpr std::chrono::milliseconds pause{10};
    const auto end = std::chrono::steady_clock::now() + patience;
    while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

}  // namespace sluice::lab
