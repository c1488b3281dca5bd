// recv(2) and its io_uring counterparts.
#include "sluice/io/ops/recv.hpp"

#include <liburing.h>

#include <cerrno>

#include "sluice/io/engine.hpp"
#include "sluice/io/ops/socket_call.hpp"

namespace sluice::io {

const op_kind recv_stream::kind_{.want = interest::in,
                                 .takes_buffer = true,
                                 .multishot = true,
                                 .attempt = &attempt,
                                 .prepare = &prepare,
                                 .complete = &complete};

int recv_stream::attempt(op& o) noexcept {
    auto& self = static_cast<recv_stream&>(o);
    buffer_pool& pool = o.home().buffers();
    const int id = pool.take();
    if (id < 0) return -ENOBUFS;
    const mutable_bytes room = pool.bytes(id);
    const auto n = call_recv(o.fd(), room, MSG_DONTWAIT);
    if (n > 0) {
        self.set_buffer(id);
        self.set_drained(static_cast<std::size_t>(n) < room.size());
        return static_cast<int>(n);
    }
    const int error = n < 0 ? errno : 0;
    pool.give_back(id);
    return -error;
}

void recv_stream::prepare(op& o, io_uring_sqe& entry) noexcept {
    // In one go the kernel would fill a buffer with each part of what a peer has sent at once, and
    // a few such peers, if nobody reads what they send, would have all there are.
    if (static_cast<recv_stream&>(o).floods_) {
        io_uring_prep_recv(&entry, o.fd(), nullptr, 0, 0);
    } else {
        io_uring_prep_recv_multishot(&entry, o.fd(), nullptr, 0, 0);
    }
}

verdict recv_stream::complete(op& o, const completion& c) noexcept {
    auto& self = static_cast<recv_stream&>(o);
    if (c.result == -ECANCELED) return verdict::done;
    if (c.result <= 0) {
        if (c.buffer >= 0) o.home().buffers().give_back(c.buffer);
        self.end_ = c.result;
        return verdict::done;
    }
    // Not before: a session that waits has lent its engine's pool to others (session_engine).
    buffer_pool& pool = o.home().buffers();
    pool.note_of(c.buffer) = {.length = static_cast<std::uint32_t>(c.result), .next = -1};
    if (self.count_ == 0) {
        self.first_ = static_cast<std::uint16_t>(c.buffer);
    } else {
        pool.note_of(self.last_).next = c.buffer;
    }
    self.last_ = static_cast<std::uint16_t>(c.buffer);
    self.floods_ = static_cast<std::size_t>(c.result) == pool.limits().size;
    if ((++self.count_ >= ahead || self.floods_) && c.more) self.pause();
    return verdict::done;
}

result<lease> recv_stream::take() noexcept {
    if (count_ == 0) {
        if (end_ == 0) return lease{};
        const error why = error_of(end_);
        // A shortage passes; whatever else ends a stream ends it for good.
        if (end_ == -ENOBUFS || end_ == -ENOMEM) end_ = open;
        return failure(why);
    }
    buffer_pool& pool = home().buffers();
    const int id = first_;
    const buffer_pool::note note = pool.note_of(id);
    first_ = static_cast<std::uint16_t>(note.next);
    --count_;
    return lease{pool, id, note.length};
}

void recv_stream::drop() noexcept {
    while (count_ > 0) static_cast<void>(take());
}

const op_kind recv_into::kind_{
    .want = interest::in, .attempt = &attempt, .prepare = &prepare, .complete = nullptr};

int recv_into::attempt(op& o) noexcept {
    auto& self = static_cast<recv_into&>(o);
    const auto n = call_recv(o.fd(), self.room_, self.flags_ | MSG_DONTWAIT);
    if (n < 0) return -errno;
    self.set_drained(n > 0 && static_cast<std::size_t>(n) < self.room_.size());
    return static_cast<int>(n);
}

void recv_into::prepare(op& o, io_uring_sqe& entry) noexcept {
    auto& self = static_cast<recv_into&>(o);
    io_uring_prep_recv(&entry, o.fd(), self.room_.data(), self.room_.size(), self.flags_);
}

}  // namespace sluice::io
