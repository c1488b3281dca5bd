// Implements console: attaches a shared descriptor, or its own open of a terminal, to an engine.
#include "sluice/term/console.hpp"

#include <fcntl.h>

#include <utility>

#include "sluice/os/kernel.hpp"
#include "sluice/os/open_again.hpp"
#include "sluice/os/terminal.hpp"

namespace sluice::term {

result<std::unique_ptr<console>> console::open(io::engine& engine, int fd) {
    if (const int flags = os::sys().fcntl(fd, F_GETFL); flags < 0) return failure_of(-flags);
    // A blocking write(2) to a terminal takes a part and then waits for a reader; a pipe with space
    // takes the whole piece.
    unique_fd opened;
    if (os::is_terminal(fd)) opened = open_again_nonblocking(fd);
    if (opened) fd = opened.get();
    if (auto attached = engine.attach(fd, true); !attached) return failure(attached.error());
    return std::unique_ptr<console>{new console{engine, fd, std::move(opened)}};
}

console::~console() {
    engine_.detach(fd_);
}

coro::task<result<console::chunk>> console::recv() noexcept {
    auto n = co_await io::read_shared{engine_, fd_, buffer_};
    if (!n) co_return failure(n.error());
    co_return chunk{as_text(const_bytes{buffer_}.first(*n))};
}

}  // namespace sluice::term
