// Prints the broken contract and aborts.
#include "sluice/base/check.hpp"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace sluice {

void broken_contract(const char* what, std::source_location where) noexcept {
    // It must end the process, whether stderr is read or not.
    constexpr int patience_ms = 1000;
    pollfd room{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&room, 1, patience_ms) == 1) {
        std::fprintf(stderr, "%s:%u: %s: %s\n", where.file_name(), where.line(),
                     where.function_name(), what);
    }
    std::abort();
}

}  // namespace sluice
