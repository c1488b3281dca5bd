// Implements open_again_nonblocking over /proc/self/fd.
#include "sluice/os/open_again.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

#include "sluice/os/terminal.hpp"

namespace sluice {
namespace {

bool can_be_opened_again(int fd) noexcept {
    struct stat found{};
    if (os::sys().fstat(fd, found) != 0) return false;
    if (S_ISFIFO(found.st_mode)) return true;
    // The master side of a pseudoterminal would open as a new one (pts(4)).
    unsigned number = 0;
    return os::is_terminal(fd) && os::sys().ioctl(fd, TIOCGPTN, &number) != 0;
}

}  // namespace

unique_fd open_again_nonblocking(int fd) noexcept {
    const int flags = os::sys().fcntl(fd, F_GETFL);
    if (flags < 0 || !can_be_opened_again(fd)) return {};
    constexpr std::size_t longest = 32;
    std::array<char, longest> name{};
    std::snprintf(name.data(), name.size(), "/proc/self/fd/%d", fd);
    return unique_fd{os::sys().openat(AT_FDCWD, name.data(),
                                      (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
}

}  // namespace sluice
