// Listener: accepts connections on an engine, also through shortages of descriptors and memory.
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/coro/ready_queue.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/ops/accept.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/unix_listener.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::net {

/// Options of a listening socket.
struct listen_options {
    /// Connections that wait to be accepted; the kernel takes at most net.core.somaxconn.
    int backlog = 4096;
    /// Several sockets share the port, and the kernel spreads connections over them (socket(7)).
    bool share_port = false;
    unix_permissions allowed = {};  ///< of a Unix socket
};

/// A socket that listens at `where`, with SO_REUSEADDR, closed on exec. Connections accepted from
/// it have TCP keepalive (keep_alive()). Errno of socket(2), bind(2) or listen(2): EADDRINUSE,
/// EACCES, EADDRNOTAVAIL ...; for a Unix socket as listen_unix().
[[nodiscard]] result<unique_fd> listen(const address& where, const listen_options& o = {}) noexcept;

/// Gives a listening socket that another process has made the options that listen() sets, but those
/// that count before bind(2) alone.
void adopt_listener(int socket) noexcept;

/// Accepts connections. Its destructor closes it, if close() has not: an accept() that waits then
/// gives fault::cancelled, and on io_uring the thread waits for the kernel. Thread of its engine.
class listener {
 public:
    /// Counters since the listener was made.
    struct counters {
        std::uint64_t accepted = 0;  ///< given to a caller
        std::uint64_t aborted = 0;   ///< ended in the backlog
        std::uint64_t shed = 0;      ///< accepted and reset at once: no descriptor left for them
        std::uint64_t pauses = 0;    ///< waits for descriptors or memory
    };

    /// Takes a listening socket. Throws std::bad_alloc.
    listener(io::engine& engine, unique_fd socket, io::accepting how = io::accepting::ahead);
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;
    ~listener();

    /// The next connection. Skips a connection that ended in the backlog. Out of descriptors or
    /// memory (EMFILE, ENFILE, ENOBUFS, ENOMEM), it closes the first waiting connection, so that
    /// the peer does not wait in vain, and pauses before it tries again: it never spins and never
    /// fails for that. fault::cancelled; any other errno is the listener's end.
    [[nodiscard]] coro::task<result<unique_fd>> accept() noexcept;
    /// address::peer_of() the socket that accept() gave last, without a system call where
    /// accept4(2) has said it.
    [[nodiscard]] result<address> peer_of(int accepted) const;
    /// The first of the connections that wait, as accept() gives it; no descriptor if there is
    /// none, or none any more after a shortage. For a caller that waits by itself. Of a listener
    /// that accepts one by one.
    [[nodiscard]] coro::task<result<unique_fd>> accept_waiting() noexcept;

    /// `co_await l.close()`: stops listening; the kernel resets connections in the backlog. A
    /// pending accept() gives fault::cancelled, before this returns unless it is in such a pause.
    [[nodiscard]] auto close() noexcept { return closer{*this}; }

    /// Before close(), where another process goes on listening at the same socket: connections that
    /// the kernel has accepted ahead are for take_left(), and not closed, and so are those that
    /// wait, each if `may_take` says so. Of several processes that wait, io_uring wakes one for a
    /// connection; if that is the one that stops, no other hears of it before the next one comes.
    /// `may_take` must not throw, and is not called after close().
    void keep_left(std::function<bool()> may_take) noexcept { may_take_ = std::move(may_take); }
    /// After close(): those connections.
    [[nodiscard]] std::vector<unique_fd> take_left() noexcept { return std::exchange(left_, {}); }

    /// `callback` is called for each shortage, before the pause. It must not throw.
    void on_shortage(std::function<void(error)> callback) noexcept {
        on_shortage_ = std::move(callback);
    }

    /// Where it listens, with the port that the kernel chose.
    [[nodiscard]] result<address> local() const { return address::local_of(fd()); }
    /// -1 from close() on.
    [[nodiscard]] int fd() const noexcept { return incoming_.is_shut() ? -1 : socket_.get(); }
    /// The engine that it was made with.
    [[nodiscard]] io::engine& engine() const noexcept { return incoming_.owner(); }
    /// What it has counted since it was made.
    [[nodiscard]] const counters& counted() const noexcept { return counters_; }

 private:
    struct shortage_pause;
    struct closer : io::idle_waiter {
        explicit closer(listener& l) noexcept : owner{l} {}
        [[nodiscard]] bool await_ready() const noexcept { return !owner.socket_; }
        bool await_suspend(std::coroutine_handle<> h) noexcept;
        void await_resume() noexcept;
        listener& owner;
    };
    void close_now() noexcept;
    /// Accepts what waits into left_.
    void take_waiting() noexcept;
    void shed_one() noexcept;
    /// After an accept that failed: pauses if there is a shortage. An error is accept()'s.
    [[nodiscard]] coro::task<result<void>> recover(error why) noexcept;

    unique_fd socket_;
    unique_fd reserve_;  // a descriptor to release when there is no other
    io::accept_stream incoming_;
    shortage_pause* pause_ = nullptr;  // of a waiting recover()
    counters counters_;
    std::vector<unique_fd> left_;
    std::function<bool()> may_take_;
    std::function<void(error)> on_shortage_;
};

}  // namespace sluice::net
