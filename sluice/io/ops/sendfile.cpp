// Implements sendfile over sendfile(2), for which io_uring has no counterpart.
#include "sluice/io/ops/sendfile.hpp"

#include <poll.h>

#include <algorithm>

#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

bool has_space(int socket) noexcept {
    pollfd output{.fd = socket, .events = POLLOUT, .revents = 0};
    constexpr timespec at_once{};
    return os::sys().ppoll({&output, 1}, &at_once) != 0;
}

}  // namespace

const op_kind sendfile::to_socket_{.want = interest::out, .cost = 16, .attempt = &attempt};
const op_kind sendfile::to_file_{.attempt = &attempt};

int sendfile::attempt(op& o) noexcept {
    auto& self = static_cast<sendfile&>(o);
    auto at = static_cast<off_t>(self.offset_);
    const std::size_t requested = std::min(self.length_, max_per_call);
    const auto n = os::sys().sendfile(o.fd(), self.file_, &at, requested);
    if (n < 0) return static_cast<int>(n);
    // Usually the socket is full, and another attempt would cost a call that returns EAGAIN. But if
    // the file has ended, or cannot be read on, no event would report that the socket has space.
    const bool is_short = static_cast<std::size_t>(n) < requested;
    self.set_drained(is_short && !has_space(o.fd()));
    return static_cast<int>(n);
}

}  // namespace sluice::io
