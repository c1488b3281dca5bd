// Implements connection: attaching, closing and socket options.
#include "sluice/net/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

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

void connection::shutdown_send() noexcept {
    os::sys().shutdown(fd(), SHUT_WR);
}

void connection::set_nodelay() noexcept {
    const int on = 1;
    os::sys().setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void connection::set_linger_reset(bool on) noexcept {
    net::set_linger_reset(fd(), on);
}

void connection::close_now() noexcept {
    input_.drop();
    input_.shut();
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
