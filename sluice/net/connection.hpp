// Connection: a connected stream socket on an engine.
#pragma once

#include <coroutine>
#include <memory>
#include <utility>

#include "sluice/base/bytes.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/ops/recv.hpp"
#include "sluice/io/ops/send.hpp"
#include "sluice/io/record_layer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::net {

/// Owns a stream socket. One coroutine may read while another writes. Not movable. Its destructor
/// closes it, if close() has not: coroutines that wait on it then get fault::cancelled, and must
/// use it no more. On io_uring, where the kernel may be receiving ahead, the thread waits there
/// until that is cancelled; while close() waits, it runs other coroutines. Thread of its engine.
class connection {
 public:
    /// The bytes of one recv(), in a buffer of the engine until it is destroyed.
    using chunk = io::lease;

    /// Takes a connected socket.
    connection(io::engine& engine, unique_fd socket) noexcept;
    /// Before recv() is first used: from now on, all that is received and sent passes `layer`.
    void secure(std::unique_ptr<io::record_layer> layer) noexcept {
        input_.secure(std::move(layer));
    }
    /// Null if the connection is in the clear.
    [[nodiscard]] io::record_layer* layer() const noexcept { return input_.layer(); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    /// `co_await c.recv()`: received bytes in a leased buffer; empty at the end of the stream, and
    /// from then on. ECONNRESET, ETIMEDOUT ...; fault::cancelled, which loses nothing.
    [[nodiscard]] auto recv() noexcept { return input_.next(); }
    /// The same, cancelled by `within` alone.
    [[nodiscard]] auto recv(coro::context& within) noexcept { return input_.next(within); }
    /// One recv(2) into memory that stays valid until it completes; for a connection on which
    /// recv() is never used. The number of bytes; 0 at the end of the stream.
    [[nodiscard]] io::recv_into recv_into(mutable_bytes memory, int flags = 0) noexcept {
        return {engine(), fd(), memory, flags, layer()};
    }
    /// Receives without waiting: the number of bytes; 0 at the end of the stream; EAGAIN if none
    /// can be had. For memory that a waiting coroutine should not hold.
    [[nodiscard]] result<std::size_t> recv_now(mutable_bytes memory) noexcept;
    /// The same, and leaves the bytes to be received again.
    [[nodiscard]] result<std::size_t> peek(mutable_bytes memory) noexcept;
    /// True if it can be read without waiting, or has ended. Over a layer, there may be no whole
    /// record yet.
    [[nodiscard]] bool is_readable() const noexcept;
    /// `co_await c.readable()` waits until is_readable().
    [[nodiscard]] io::poll readable() noexcept { return {engine(), fd(), layer()}; }
    /// One send(2): the bytes that the kernel took. EPIPE or ECONNRESET if the peer is gone.
    [[nodiscard]] io::send send(const_bytes data, int flags = 0) noexcept {
        return {engine(), fd(), data, flags, layer()};
    }
    /// Sends all of it. The memory stays valid until it completes.
    [[nodiscard]] io::send_all send_all(const_bytes data) noexcept {
        return {engine(), fd(), data, layer()};
    }
    /// The same for text.
    [[nodiscard]] io::send_all send_all(std::string_view data) noexcept {
        return send_all(as_bytes(data));
    }

    /// Ends the sending side: the peer reads its end of stream (shutdown(2), SHUT_WR). Waits only
    /// over a layer, which announces the end; cancelled, it has announced nothing.
    coro::task<void> end_sending();
    /// Sends small messages at once (tcp(7), TCP_NODELAY). No effect on other sockets.
    void set_nodelay() noexcept;
    /// As net::set_linger_reset() for its socket. Over a layer, close() does not announce the end
    /// then.
    void set_linger_reset(bool on = true) noexcept;

    /// `co_await c.close()`: cancels the operations in flight, then closes; over a layer, it
    /// announces the end, if the socket takes that at once. A coroutine that waits
    /// on this connection gets its result or fault::cancelled before this returns; later operations
    /// get fault::cancelled. Idempotent; several coroutines may close at once, and the connection
    /// lives until the last of them has returned.
    [[nodiscard]] auto close() noexcept { return closer{*this}; }

    /// Errno of getpeername(2), ENOTCONN once the peer has reset the connection.
    [[nodiscard]] result<address> peer() const { return address::peer_of(fd()); }
    /// The address of this end. Errno of getsockname(2).
    [[nodiscard]] result<address> local() const { return address::local_of(fd()); }
    /// -1 from close() on.
    [[nodiscard]] int fd() const noexcept { return input_.is_shut() ? -1 : socket_.get(); }
    /// The engine that it was made with.
    [[nodiscard]] io::engine& engine() const noexcept { return input_.owner(); }

 private:
    struct closer : io::idle_waiter {
        explicit closer(connection& c) noexcept : owner{c} {}
        [[nodiscard]] bool await_ready() const noexcept { return !owner.socket_; }
        bool await_suspend(std::coroutine_handle<> h) noexcept;
        void await_resume() noexcept;
        connection& owner;
    };
    void close_now() noexcept;

    // In the padding behind the stream, which saves memory per idle connection.
    [[no_unique_address]] io::recv_stream input_;
    unique_fd socket_;
};

}  // namespace sluice::net
