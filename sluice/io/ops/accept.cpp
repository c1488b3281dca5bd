// Implements accept_stream over accept4(2) and io_uring's multishot accept.
#include "sluice/io/ops/accept.hpp"

#include <liburing.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <utility>

#include "sluice/io/engine.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {
namespace {

// Enough for most turns; more cost an allocation.
constexpr std::size_t reserved_at_first = 64;
// At this many accepted sockets the others wait in the backlog until a reader takes these.
constexpr std::size_t ahead = 256;

}  // namespace

const op_kind accept_stream::kind_{.want = interest::in,
                                   .multishot = true,
                                   .gives_descriptor = true,
                                   .attempt = &attempt,
                                   .prepare = &prepare,
                                   .complete = &complete,
                                   .resume_without = &resume_without};

const op_kind accept_stream::one_by_one_{.want = interest::in,
                                         .multishot = true,
                                         .gives_descriptor = true,
                                         .attempt = &attempt,
                                         .complete = &complete,
                                         .resume_without = &resume_without};

accept_stream::accept_stream(engine& owner, int fd, accepting how)
    : stream{how == accepting::ahead ? kind_ : one_by_one_, owner, fd} {
    accepted_.reserve(reserved_at_first);
}

int accept_stream::attempt(op& o) noexcept {
    auto& peer = static_cast<accept_stream&>(o).arriving_;
    socklen_t size = sizeof peer;
    return os::sys().accept4(o.fd(), reinterpret_cast<sockaddr*>(&peer), &size,
                             SOCK_CLOEXEC | o.owner().socket_flags());
}

void accept_stream::prepare(op& o, io_uring_sqe& entry) noexcept {
    // No address: all completions of a submission would write it to the same memory.
    io_uring_prep_multishot_accept(&entry, o.fd(), nullptr, nullptr, SOCK_CLOEXEC);
}

completion_action accept_stream::complete(op& o, const completion& c) noexcept {
    auto& self = static_cast<accept_stream&>(o);
    if (c.result == -ECANCELED) return completion_action::done;
    if (c.result < 0) {
        self.error_ = c.result;
        return completion_action::done;
    }
    unique_fd fd{c.result};
    try {
        self.accepted_.emplace_back(std::move(fd), std::exchange(self.arriving_, {}));
    } catch (const std::bad_alloc&) {
        // The socket is closed, so that its peer reads an end; the next take() returns ENOMEM.
        self.error_ = -ENOMEM;
    }
    if (self.accepted_.size() - self.next_ >= ahead && c.more) self.pause();
    return completion_action::done;
}

result<unique_fd> accept_stream::take() noexcept {
    if (next_ == accepted_.size()) return failure(error_of(std::exchange(error_, 0)));
    arrival& taken = accepted_[next_++];
    unique_fd fd = std::move(taken.socket);
    peer_ = taken.peer;
    if (next_ == accepted_.size()) {
        accepted_.clear();
        next_ = 0;
    }
    return fd;
}

std::vector<unique_fd> accept_stream::take_all() noexcept {
    std::vector<unique_fd> left;
    left.reserve(accepted_.size() - next_);
    for (; next_ < accepted_.size(); ++next_) left.push_back(std::move(accepted_[next_].socket));
    accepted_.clear();
    next_ = 0;
    return left;
}

}  // namespace sluice::io
