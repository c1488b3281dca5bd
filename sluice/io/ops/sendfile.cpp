// sendfile(2), which io_uring has no counterpart for.
#include "sluice/io/ops/sendfile.hpp"

#include <poll.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>

namespace sluice::io {
namespace {

bool has_room(int socket) noexcept {
    pollfd asked{.fd = socket, .events = POLLOUT, .revents = 0};
    return ::poll(&asked, 1, 0) != 0;
}

}  // namespace

const op_kind sendfile::to_socket_{.want = interest::out, .weight = 16, .attempt = &attempt};
const op_kind sendfile::to_file_{.attempt = &attempt};

int sendfile::attempt(op& o) noexcept {
    // It transfers at most that much (sendfile(2)), and a count fits an int.
    constexpr std::size_t most_a_call = 0x7fff'f000;
    auto& self = static_cast<sendfile&>(o);
    auto at = static_cast<off_t>(self.offset_);
    const std::size_t asked = std::min(self.length_, most_a_call);
    const auto n = ::sendfile(o.fd(), self.file_, &at, asked);
    if (n < 0) return -errno;
    // Mostly the socket was filled: to ask again before it has room would cost a call to hear
    // EAGAIN. But where the file has ended, or cannot be read on, nobody would say that it has
    // room.
    const bool is_short = static_cast<std::size_t>(n) < asked;
    self.set_drained(is_short && !has_room(o.fd()));
    return static_cast<int>(n);
}

}  // namespace sluice::io
