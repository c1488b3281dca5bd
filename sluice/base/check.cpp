// Implements broken_contract(): prints the message and the source location, and aborts.
#include "sluice/base/check.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace sluice {

void broken_contract(const char* what, std::source_location where) noexcept {
    // The process must end even if stderr is a full pipe.
    constexpr int timeout_ms = 1000;
    pollfd output{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&output, 1, timeout_ms) == 1) {
        std::fprintf(stderr, "%s:%u: %s: %s\n", where.file_name(), where.line(),
                     where.function_name(), what);
    }
    std::abort();
}

}  // namespace sluice
