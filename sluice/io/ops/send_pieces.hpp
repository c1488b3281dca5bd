// Operation that sends what a source has, asking it for the next piece before each send(2).
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/check.hpp"
#include "sluice/base/result.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/op.hpp"
#include "sluice/io/record_layer.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::io {

/// Base class of a source of output. The operation is over when the source has nothing more, and is
/// begun again by send_pending(), which needs no coroutine, or by a coroutine that awaits its end.
/// Without a counterpart in io_uring, whose kernel would read a piece while the source goes on.
/// It outlives a coroutine that awaits its end.
///
/// `Source` derives from it. Its functions may be private, with this class as a friend:
///
/// * `const_bytes next_piece() noexcept`: what is to be sent next, less than 4 GiB, valid until the
///   source is used again; empty if there is nothing.
/// * `void on_sent(std::size_t n, bool whole) noexcept`: `n` bytes of that piece were sent, or the
///   whole of it.
/// * `void on_send_error() noexcept`: the connection is broken.
template <class Source>
class send_pieces : public op {
 public:
    /// Begins to send, unless it is in flight or shut.
    void send_pending() noexcept {
        if (in_flight() || is_shut()) return;
        // Without a waiter; complete() handles the result.
        static_cast<void>(owner().submit(*this));
    }
    /// `co_await s.rest_sent()` sends until the source has nothing more. The error of send(2);
    /// fault::cancelled.
    [[nodiscard]] auto rest_sent() noexcept { return rest_awaiter{*this}; }

 protected:
    /// `layer`, null or not, outlives it.
    send_pieces(engine& owner, int fd, record_layer* layer) noexcept
        : op{layer == nullptr ? kind_ : secure_kind_, owner, fd}, layer_{layer} {}

 private:
    struct rest_awaiter {
        send_pieces& owner;
        [[nodiscard]] static bool await_ready() noexcept { return false; }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) const noexcept {
            return owner.begin_wait(h, h.promise().current_context());
        }
        [[nodiscard]] result<void> await_resume() const noexcept {
            if (owner.raw_result() < 0) return failure(error_of(owner.raw_result()));
            return {};
        }
        void cancel() const noexcept { owner.cancel(); }
    };

    static Source& source_of(op& o) noexcept { return static_cast<Source&>(o); }
    static int attempt(op& o) noexcept;
    static int secure_attempt(op& o) noexcept;
    static completion_action complete(op& o, const completion& c) noexcept;
    static completion_action secure_complete(op& o, const completion& c) noexcept;
    static void resume_without(op& /*dying*/, std::coroutine_handle<> /*waiter*/) noexcept {
        check(false, "a source of output is destroyed while a coroutine waits for its rest");
    }
    static const op_kind kind_;
    static const op_kind secure_kind_;

    // Says that the last send was short: a flag would not fit into the padding of op.
    static constexpr std::uint32_t was_short = ~0U;

    record_layer* layer_;
    std::uint32_t asked_ = 0;  // bytes of the last piece, or was_short
};

template <class Source>
const op_kind send_pieces<Source>::kind_{.want = interest::out,
                                         .attempt = &attempt,
                                         .complete = &complete,
                                         .resume_without = &resume_without};

template <class Source>
const op_kind send_pieces<Source>::secure_kind_{.want = interest::out,
                                                .attempt = &secure_attempt,
                                                .complete = &secure_complete,
                                                .resume_without = &resume_without};

template <class Source>
int send_pieces<Source>::attempt(op& o) noexcept {
    send_pieces& self = source_of(o);
    // Another send would return EAGAIN.
    if (std::exchange(self.asked_, 0) == was_short) return -EAGAIN;
    const const_bytes piece = source_of(o).next_piece();
    self.asked_ = static_cast<std::uint32_t>(piece.size());
    if (piece.empty()) return 0;
    return static_cast<int>(os::sys().send(o.fd(), piece, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/// Encrypts pieces, and sends some of them together: to on_sent() an encrypted byte is sent, and a
/// slow peer's progress is to be seen.
template <class Source>
int send_pieces<Source>::secure_attempt(op& o) noexcept {
    constexpr std::size_t together = std::size_t{16} << 10;
    send_pieces& self = source_of(o);
    for (std::size_t encrypted = 0;;) {
        const const_bytes piece = source_of(o).next_piece();
        if (piece.empty()) return self.layer_->flush(o.fd());
        const auto part = piece.first(std::min(piece.size(), together - encrypted));
        const int n = self.layer_->send(o.fd(), part, true);
        if (n < 0) return n;
        const auto taken = static_cast<std::size_t>(n);
        source_of(o).on_sent(taken, taken == piece.size());
        encrypted += taken;
        if (encrypted < together) continue;
        encrypted = 0;
        if (const int left = self.layer_->flush(o.fd()); left < 0) return left;
    }
}

template <class Source>
completion_action send_pieces<Source>::secure_complete(op& o, const completion& c) noexcept {
    source_of(o).set_raw_result(c.result);
    if (c.result < 0 && c.result != -ECANCELED) source_of(o).on_send_error();
    return completion_action::done;
}

template <class Source>
completion_action send_pieces<Source>::complete(op& o, const completion& c) noexcept {
    send_pieces& self = source_of(o);
    self.set_raw_result(c.result);
    if (c.result < 0) {
        if (c.result != -ECANCELED) source_of(o).on_send_error();
        return completion_action::done;
    }
    const auto n = static_cast<std::uint32_t>(c.result);
    if (n == 0) return completion_action::done;
    const bool whole = n == self.asked_;
    if (!whole) self.asked_ = was_short;
    source_of(o).on_sent(n, whole);
    return whole && source_of(o).next_piece().empty() ? completion_action::done
                                                      : completion_action::again;
}

}  // namespace sluice::io
