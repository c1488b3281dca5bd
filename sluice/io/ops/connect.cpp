// Implements connect over connect(2) and its io_uring counterpart.
#include "sluice/io/ops/connect.hpp"

#include <liburing.h>

#include <cerrno>

#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind connect::kind_{.want = interest::out, .attempt = &attempt, .prepare = &prepare};

int connect::attempt(op& o) noexcept {
    auto& self = static_cast<connect&>(o);
    const int failed = os::sys().connect(o.fd(), self.address_, self.length_);
    // A second call gives the first one's outcome: EISCONN on success (connect(2), EINPROGRESS).
    if (failed == -EINPROGRESS || failed == -EALREADY) return -EAGAIN;
    return failed == -EISCONN ? 0 : failed;
}

void connect::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<connect&>(o);
    io_uring_prep_connect(&entry, o.fd(), self.address_, self.length_);
}

result<void> connect::await_resume() noexcept {
    if (raw_result() < 0) return failure(error_of(raw_result()));
    return {};
}

}  // namespace sluice::io
