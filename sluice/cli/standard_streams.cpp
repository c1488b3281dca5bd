// Implements settle_standard_streams(): opens /dev/null where a standard stream is closed.
#include "sluice/cli/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "sluice/os/kernel.hpp"

namespace sluice::cli {
namespace {

bool ensure_open(int fd) noexcept {
    if (os::sys().fcntl(fd, F_GETFD) >= 0) return true;
    // open(2) returns the lowest free descriptor: `fd`, as those below it are open.
    static_cast<void>(os::sys().openat(AT_FDCWD, "/dev/null", O_RDWR));
    return false;
}

}  // namespace

const standard_streams& settle_standard_streams() noexcept {
    static const standard_streams found = [] {
        standard_streams s;
        s.in = ensure_open(STDIN_FILENO);
        s.out = ensure_open(STDOUT_FILENO);
        s.err = ensure_open(STDERR_FILENO);
        return s;
    }();
    return found;
}

}  // namespace sluice::cli
