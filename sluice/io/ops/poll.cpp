// Implements poll over poll(2) and its io_uring counterpart.
#include "sluice/io/ops/poll.hpp"

#include <liburing.h>
#include <poll.h>

#include <cerrno>

#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

short events_of(interest want) noexcept {
    return want == interest::in ? POLLIN : POLLOUT;
}

}  // namespace

const op_kind poll::in_{.want = interest::in, .attempt = &attempt, .prepare = &prepare};
const op_kind poll::out_{.want = interest::out, .attempt = &attempt, .prepare = &prepare};

int poll::poll_now(int fd, interest want) noexcept {
    pollfd p{.fd = fd, .events = events_of(want), .revents = 0};
    constexpr timespec at_once{};
    const int n = os::sys().ppoll({&p, 1}, &at_once);
    if (n < 0) return n;
    if ((p.revents & POLLNVAL) != 0) return -EBADF;
    return n == 0 ? -EAGAIN : 0;
}

int poll::attempt(op& o) noexcept {
    return poll_now(o.fd(), o.kind().want);
}

void poll::prepare(op& o, io_uring_sqe& entry) noexcept {
    io_uring_prep_poll_add(&entry, o.fd(), static_cast<unsigned>(events_of(o.kind().want)));
}

result<void> poll::await_resume() noexcept {
    if (raw_result() < 0) return failure(error_of(raw_result()));
    return {};
}

}  // namespace sluice::io
