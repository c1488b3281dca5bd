// socket(2) and connect(2).
#include "sluice/net/dial.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "sluice/io/ops/connect.hpp"
#include "sluice/net/congestion.hpp"
#include "sluice/net/keep_alive.hpp"

namespace sluice::net {

coro::task<result<unique_fd>> dial(io::engine& home, address where) noexcept {
    unique_fd fd{::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) co_return failure_of(errno);
    spare_pacing(fd.get(), where);
    keep_alive(fd.get());
    if (auto attached = home.attach(fd.get()); !attached) co_return failure(attached.error());
    auto connected = co_await io::connect{home, fd.get(), where.data(), where.size()};
    home.detach(fd.get());
    if (!connected) co_return failure(connected.error());
    co_return fd;
}

}  // namespace sluice::net
