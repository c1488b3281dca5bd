// Implements connection: attaching, closing and socket options.
#include "sluice/net/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "sluice/base/check.hpp"
#include "sluice/base/planted_bug.hpp"
#include "sluice/net/linger_reset.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::net {

connection::connection(io::engine& engine, unique_fd socket) noexcept
    : input_{engine, socket.get()}, socket_{std::move(socket)} {
    // Its operations pass MSG_DONTWAIT, so the descriptor's flags do not matter.
    check(engine.attach(fd(), true).has_value(),
          "the descriptor of a socket is beyond the table of the engine");
}

connection::~connection() {
    if (socket_) close_now();
}

result<std::size_t> connection::recv_now(mutable_bytes memory) noexcept {
    io::record_layer* const over = layer();
    const auto n =
        over != nullptr ? over->receive(fd(), memory) : os::sys().recv(fd(), memory, MSG_DONTWAIT);
    if (n < 0) return failure(io::record_layer::error_of(static_cast<int>(n)));
    return static_cast<std::size_t>(n);
}

result<std::size_t> connection::peek(mutable_bytes memory) noexcept {
    io::record_layer* const over = layer();
    ssize_t n = -EINTR;
    while (n == -EINTR) {
        n = over != nullptr ? over->peek(fd(), memory)
                            : os::sys().recv(fd(), memory, MSG_PEEK | MSG_DONTWAIT);
    }
    if (n < 0) return failure(io::record_layer::error_of(static_cast<int>(n)));
    return static_cast<std::size_t>(n);
}

bool connection::is_readable() const noexcept {
    if (layer() != nullptr && layer()->has_input()) return true;
    return io::poll::poll_now(fd(), io::interest::in) == 0;
}

coro::task<void> connection::end_sending() {
    if (io::record_layer* const over = layer(); over != nullptr) {
        over->end();
        if (auto sent = co_await send({}); !sent) co_return;
    }
    os::sys().shutdown(fd(), SHUT_WR);
}

void connection::set_nodelay() noexcept {
    const int on = 1;
    os::sys().setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void connection::set_linger_reset(bool on) noexcept {
    if (layer() != nullptr) layer()->announce_end(!on);
    net::set_linger_reset(fd(), on);
}

void connection::close_now() noexcept {
    input_.drop();
    input_.shut();
    if (io::record_layer* const over = layer(); over != nullptr && over->announces_end()) {
        over->end();
        static_cast<void>(over->flush(socket_.get()));
    }
    engine().detach(socket_.get());
    if (planted(bug::talk_closed_twice)) os::sys().close(socket_.get());
    socket_.reset();
}

bool connection::closer::await_suspend(std::coroutine_handle<> h) noexcept {
    io::engine& engine = owner.engine();
    fd = owner.socket_.get();
    owner.input_.shut();
    engine.cancel_all(fd);
    if (engine.blocks()) return false;
    // Through the ready queue even if the descriptor is idle: resumed waiters are queued before it.
    set_waiter(h);
    engine.when_idle(*this);
    return true;
}

void connection::closer::await_resume() noexcept {
    if (owner.socket_) owner.close_now();
}

}  // namespace sluice::net
