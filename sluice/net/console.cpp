// Attaches a shared descriptor as it is, but for a terminal, which it opens once more.
#include "sluice/net/console.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace sluice::net {
namespace {

// A terminal takes a part of what is written and then waits for somebody to read, where a pipe with
// room takes the piece. Opened once more it has flags of its own (open(2), "open file
// description"), so that it need not wait. None if it may not be opened, as after su(1).
unique_fd open_own(int fd, int flags) {
    if (::isatty(fd) == 0) return {};
    // The far side of a terminal would come back as that of a new one (pts(4)).
    unsigned number = 0;
    if (::ioctl(fd, TIOCGPTN, &number) == 0) return {};
    const auto name = "/proc/self/fd/" + std::to_string(fd);
    return unique_fd{::open(name.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
}

}  // namespace

result<std::unique_ptr<console>> console::open(io::engine& home, int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0) return failure_of(errno);
    unique_fd own = open_own(fd, flags);
    if (own) fd = own.get();
    if (auto attached = home.attach(fd, true); !attached) return failure(attached.error());
    return std::unique_ptr<console>{new console{home, fd, std::move(own)}};
}

console::~console() {
    home_.detach(fd_);
}

coro::task<result<console::chunk>> console::recv() noexcept {
    auto n = co_await io::read_shared{home_, fd_, room_};
    if (!n) co_return failure(n.error());
    co_return chunk{as_text(const_bytes{room_}.first(*n))};
}

}  // namespace sluice::net
