// Looks at the three descriptors, once.
#include "sluice/cli/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace sluice::cli {
namespace {

bool settle(int fd) noexcept {
    if (::fcntl(fd, F_GETFD) >= 0) return true;
    // The lowest number that is free is this one: those below are settled.
    static_cast<void>(::open("/dev/null", O_RDWR));
    return false;
}

}  // namespace

const standard_streams& settle_standard_streams() noexcept {
    static const standard_streams found = [] {
        standard_streams s;
        s.in = settle(STDIN_FILENO);
        s.out = settle(STDOUT_FILENO);
        s.err = settle(STDERR_FILENO);
        return s;
    }();
    return found;
}

}  // namespace sluice::cli
