// Implements send and send_all over send(2) and its io_uring counterpart.
#include "sluice/io/ops/send.hpp"

#include <liburing.h>
#include <sys/socket.h>

#include <utility>

#include "sluice/base/planted_bug.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

/// Encrypts the first of `data`, unless `encrypted` says that this was done, and sends them, which
/// may take several attempts. Then it is the result.
int send_through(record_layer& layer, int fd, const_bytes data, bool more,
                 int& encrypted) noexcept {
    if (encrypted == 0 && !data.empty()) {
        const int n = layer.send(fd, data, more);
        if (n < 0) return n;
        encrypted = n;
    }
    const int left = more ? 0 : layer.flush(fd);
    if (left < 0) return left;
    return std::exchange(encrypted, 0);
}

}  // namespace

const op_kind send::kind_{
    .want = interest::out, .inline_first = true, .attempt = &attempt, .prepare = &prepare};

const op_kind send::secure_kind_{
    .want = interest::out, .inline_first = true, .attempt = &secure_attempt};

int send::secure_attempt(op& o) noexcept {
    auto& self = static_cast<send&>(o);
    return send_through(*self.layer_, o.fd(), self.data_, (self.flags_ & MSG_MORE) != 0,
                        self.encrypted_);
}

int send::attempt(op& o) noexcept {
    auto& self = static_cast<send&>(o);
    const auto n = os::sys().send(o.fd(), self.data_, self.flags_ | MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) return static_cast<int>(n);
    self.set_drained(static_cast<std::size_t>(n) < self.data_.size() && !self.mapped_);
    return static_cast<int>(n);
}

void send::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<send&>(o);
    io_uring_prep_send(&entry, o.fd(), self.data_.data(), self.data_.size(),
                       self.flags_ | MSG_NOSIGNAL);
}

const op_kind send_all::kind_{.want = interest::out,
                              .inline_first = true,
                              .attempt = &attempt,
                              .prepare = &prepare,
                              .complete = &complete};

const op_kind send_all::secure_kind_{
    .want = interest::out, .inline_first = true, .attempt = &secure_attempt, .complete = &complete};

int send_all::secure_attempt(op& o) noexcept {
    auto& self = static_cast<send_all&>(o);
    return send_through(*self.layer_, o.fd(), self.data_, false, self.encrypted_);
}

int send_all::attempt(op& o) noexcept {
    auto& self = static_cast<send_all&>(o);
    return static_cast<int>(os::sys().send(o.fd(), self.data_, MSG_DONTWAIT | MSG_NOSIGNAL));
}

void send_all::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<send_all&>(o);
    // With MSG_WAITALL the kernel itself continues after a short send.
    io_uring_prep_send(&entry, o.fd(), self.data_.data(), self.data_.size(),
                       MSG_NOSIGNAL | MSG_WAITALL);
}

completion_action send_all::complete(op& o, const completion& c) noexcept {
    auto& self = static_cast<send_all&>(o);
    self.set_raw_result(c.result);
    if (c.result < 0) return completion_action::done;
    self.data_ = self.data_.subspan(static_cast<std::size_t>(c.result));
    const bool over = self.data_.empty() || planted(bug::talk_short_send);
    return over ? completion_action::done : completion_action::again;
}

result<std::size_t> send_all::await_resume() noexcept {
    if (raw_result() < 0) return failure(error_of(raw_result()));
    return length_;
}

}  // namespace sluice::io
