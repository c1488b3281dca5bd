// A connected socket on an engine: what a service talks to.
#pragma once

#include <coroutine>

#include "sluice/base/bytes.hpp"
#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/ops/recv.hpp"
#include "sluice/io/ops/send.hpp"
#include "sluice/net/address.hpp"

namespace sluice::net {

/// Owns a stream socket. One coroutine may read while another writes. It stays where it was made,
/// and is closed with `co_await close()` before it dies, unless nothing was ever received on it:
/// on io_uring the kernel may be receiving ahead. Thread of its engine.
class connection {
 public:
    using chunk = io::lease;

    /// Takes a socket that is connected.
    connection(io::engine& home, unique_fd socket) noexcept;
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    /// `co_await c.recv()`: what came, in a buffer on loan; empty at the end of the stream, and
    /// from then on. ECONNRESET, ETIMEDOUT ...; fault::cancelled, which loses nothing.
    [[nodiscard]] auto recv() noexcept { return input_.next(); }
    /// The same, cancelled by `within` alone.
    [[nodiscard]] auto recv(coro::context& within) noexcept { return input_.next(within); }
    /// One read into memory that stays valid until it completes; for a connection on which recv()
    /// is never used. The count; 0 at the end of the stream.
    [[nodiscard]] io::recv_into recv_into(mutable_bytes room, int flags = 0) noexcept {
        return {home(), fd(), room, flags};
    }
    /// One write: how much the kernel took. EPIPE or ECONNRESET where the peer is gone.
    [[nodiscard]] io::send send(const_bytes what, int flags = 0) noexcept {
        return {home(), fd(), what, flags};
    }
    /// Writes all of it. The memory stays valid until it completes.
    [[nodiscard]] io::send_all send_all(const_bytes what) noexcept { return {home(), fd(), what}; }
    [[nodiscard]] io::send_all send_all(std::string_view what) noexcept {
        return send_all(as_bytes(what));
    }

    /// No more will be sent: the peer reads its end of stream (shutdown(2), SHUT_WR).
    void finish_sending() noexcept;
    /// Small messages go out at once (tcp(7), TCP_NODELAY). Nothing on other sockets.
    void send_promptly() noexcept;
    /// close() will throw away what was not sent and tell the peer by a reset (socket(7),
    /// SO_LINGER of zero).
    void reset_on_close() noexcept;

    /// `co_await c.close()`: ends what is in flight, then closes. Whoever else waits on this
    /// connection has been given what had come, or fault::cancelled, before this returns; whoever
    /// asks from now on gets fault::cancelled. Idempotent; several may close at once, and the
    /// connection lives until the last of them has returned.
    [[nodiscard]] auto close() noexcept { return closer{*this}; }

    /// Errno of getpeername(2), ENOTCONN once the peer has reset the connection.
    [[nodiscard]] result<address> peer() const { return address::peer_of(fd()); }
    [[nodiscard]] result<address> local() const { return address::local_of(fd()); }
    /// -1 from close() on.
    [[nodiscard]] int fd() const noexcept { return input_.is_shut() ? -1 : socket_.get(); }
    [[nodiscard]] io::engine& home() const noexcept { return input_.home(); }

 private:
    struct closer : io::quiet_waiter {
        explicit closer(connection& c) noexcept : owner{c} {}
        [[nodiscard]] bool await_ready() const noexcept { return !owner.socket_; }
        bool await_suspend(std::coroutine_handle<> h) noexcept;
        void await_resume() noexcept;
        connection& owner;
    };
    void close_now() noexcept;

    // The descriptor moves into the padding behind the stream: memory an idle connection counts.
    [[no_unique_address]] io::recv_stream input_;
    unique_fd socket_;
};

}  // namespace sluice::net
