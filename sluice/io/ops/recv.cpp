// Implements recv_stream and recv_into over recv(2) and its io_uring counterparts.
#include "sluice/io/ops/recv.hpp"

#include <liburing.h>

#include <cerrno>

#include "sluice/io/engine.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

const op_kind recv_stream::kind_{.want = interest::in,
                                 .takes_buffer = true,
                                 .multishot = true,
                                 .attempt = &attempt,
                                 .prepare = &prepare,
                                 .complete = &complete,
                                 .resume_without = &resume_without};

const op_kind recv_stream::secure_kind_{.want = interest::in,
                                        .takes_buffer = true,
                                        .may_hold_input = true,
                                        .multishot = true,
                                        .attempt = &attempt,
                                        .complete = &complete,
                                        .resume_without = &resume_without};

int recv_stream::attempt(op& o) noexcept {
    auto& self = static_cast<recv_stream&>(o);
    buffer_pool& pool = o.owner().buffers_of(o.kind());
    const int id = pool.take();
    if (id < 0) return -ENOBUFS;
    const mutable_bytes memory = pool.bytes(id);
    record_layer* const layer = self.layer();
    const int n = layer != nullptr ? layer->receive(o.fd(), memory)
                                   : static_cast<int>(os::sys().recv(o.fd(), memory, MSG_DONTWAIT));
    if (n > 0) {
        self.set_buffer(id);
        self.set_drained(layer != nullptr ? layer->drained()
                                          : static_cast<std::size_t>(n) < memory.size());
        return n;
    }
    pool.give_back(id);
    return n;
}

void recv_stream::prepare(op& o, io_uring_sqe& entry) noexcept {
    // A multishot recv would fill a buffer with each part of a burst, and a few such peers, if
    // their readers are slow, would take all buffers.
    if (static_cast<recv_stream&>(o).last_filled_) {
        io_uring_prep_recv(&entry, o.fd(), nullptr, 0, 0);
    } else {
        io_uring_prep_recv_multishot(&entry, o.fd(), nullptr, 0, 0);
    }
}

completion_action recv_stream::complete(op& o, const completion& c) noexcept {
    auto& self = static_cast<recv_stream&>(o);
    if (c.result == -ECANCELED) return completion_action::done;
    if (c.result <= 0) {
        if (c.buffer >= 0) o.owner().buffers_of(o.kind()).give_back(c.buffer);
        self.end_ = c.result;
        return completion_action::done;
    }
    // Not before: a session that waits has given its engine's pool back (session_engine).
    buffer_pool& pool = o.owner().buffers_of(o.kind());
    pool.link_of(c.buffer) = {.length = static_cast<std::uint32_t>(c.result), .next = -1};
    if (self.count_ == 0) {
        self.first_ = static_cast<std::uint16_t>(c.buffer);
    } else {
        pool.link_of(self.last_).next = c.buffer;
    }
    self.last_ = static_cast<std::uint16_t>(c.buffer);
    self.last_filled_ = static_cast<std::size_t>(c.result) == pool.limits().size;
    if ((++self.count_ >= ahead || self.last_filled_) && c.more) self.pause();
    return completion_action::done;
}

result<lease> recv_stream::take() noexcept {
    if (count_ == 0) {
        if (end_ == 0) return lease{};
        const error why = error_of(end_);
        // A shortage passes; any other error ends a stream for good.
        if (end_ == -ENOBUFS || end_ == -ENOMEM) end_ = open;
        return failure(why);
    }
    buffer_pool& pool = owner().buffers_of(kind());
    const int id = first_;
    const buffer_pool::buffer_link link = pool.link_of(id);
    first_ = static_cast<std::uint16_t>(link.next);
    --count_;
    return lease{pool, id, link.length};
}

void recv_stream::drop() noexcept {
    while (count_ > 0) static_cast<void>(take());
}

const op_kind recv_into::kind_{
    .want = interest::in, .attempt = &attempt, .prepare = &prepare, .complete = nullptr};

const op_kind recv_into::secure_kind_{
    .want = interest::in, .may_hold_input = true, .attempt = &secure_attempt};

int recv_into::secure_attempt(op& o) noexcept {
    auto& self = static_cast<recv_into&>(o);
    const int n = self.layer_->receive(o.fd(), self.memory_);
    self.set_drained(n > 0 && self.layer_->drained());
    return n;
}

int recv_into::attempt(op& o) noexcept {
    auto& self = static_cast<recv_into&>(o);
    const auto n = os::sys().recv(o.fd(), self.memory_, self.flags_ | MSG_DONTWAIT);
    if (n < 0) return static_cast<int>(n);
    self.set_drained(n > 0 && static_cast<std::size_t>(n) < self.memory_.size());
    return static_cast<int>(n);
}

void recv_into::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<recv_into&>(o);
    io_uring_prep_recv(&entry, o.fd(), self.memory_.data(), self.memory_.size(), self.flags_);
}

}  // namespace sluice::io
