// Attaches a shared descriptor as it is, but for a terminal, which it opens once more.
#include "sluice/term/console.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "sluice/base/open_again.hpp"

namespace sluice::term {

result<std::unique_ptr<console>> console::open(io::engine& home, int fd) {
    if (::fcntl(fd, F_GETFL) < 0) return failure_of(errno);
    // A terminal takes a part of what is written and then waits for somebody to read, where a pipe
    // with room takes the piece.
    unique_fd own;
    if (::isatty(fd) == 1) own = open_again_nonblocking(fd);
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

}  // namespace sluice::term
