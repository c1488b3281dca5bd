// Opens, closes and tunes connected sockets.
#include "sluice/net/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

#include "sluice/base/check.hpp"

namespace sluice::net {

connection::connection(io::engine& home, unique_fd socket) noexcept
    : input_{home, socket.get()}, socket_{std::move(socket)} {
    // Its operations pass MSG_DONTWAIT, so its flags do not matter.
    check(home.attach(fd(), true).has_value(), "a socket beyond the table of its engine");
}

connection::~connection() {
    if (!socket_) return;
    check(home().quiet(socket_.get()),
          "a connection dies with operations in flight: close() it first");
    close_now();
}

void connection::finish_sending() noexcept {
    ::shutdown(fd(), SHUT_WR);
}

void connection::send_promptly() noexcept {
    const int on = 1;
    ::setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void connection::reset_on_close() noexcept {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void connection::close_now() noexcept {
    input_.drop();
    input_.shut();
    home().detach(socket_.get());
    socket_.reset();
}

bool connection::closer::await_suspend(std::coroutine_handle<> h) noexcept {
    io::engine& home = owner.home();
    fd = owner.socket_.get();
    owner.input_.shut();
    home.cancel_all(fd);
    if (home.blocks()) return false;
    // Through the queue even if all is quiet: those who have been served stand there before it.
    set_waiter(h);
    home.when_quiet(*this);
    return true;
}

void connection::closer::await_resume() noexcept {
    if (owner.socket_) owner.close_now();
}

}  // namespace sluice::net
