// Attaches a shared descriptor as it is.
#include "sluice/net/console.hpp"

#include <fcntl.h>

#include <cerrno>

namespace sluice::net {

result<std::unique_ptr<console>> console::open(io::engine& home, int fd) {
    if (::fcntl(fd, F_GETFD) < 0) return failure_of(errno);
    if (auto attached = home.attach(fd, true); !attached) return failure(attached.error());
    return std::unique_ptr<console>{new console{home, fd}};
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
