// Implements dial() and dial_any() over socket(2) and connect(2).
#include "sluice/net/dial.hpp"

#include <sys/socket.h>

#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/connect.hpp"
#include "sluice/net/congestion.hpp"
#include "sluice/net/keep_alive.hpp"
#include "sluice/os/kernel.hpp"

namespace sluice::net {

coro::task<result<unique_fd>> dial(io::engine& engine, address where) noexcept {
    unique_fd fd{os::sys().socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd) co_return failure_of(-fd.get());
    avoid_pacing_on_loopback(fd.get(), where);
    keep_alive(fd.get());
    if (auto attached = engine.attach(fd.get()); !attached) co_return failure(attached.error());
    auto connected = co_await io::connect{engine, fd.get(), where.data(), where.size()};
    engine.detach(fd.get());
    if (!connected) co_return failure(connected.error());
    co_return fd;
}

coro::task<dial_result> dial_any(io::engine& engine, std::span<const address> where,
                                 io::duration timeout) {
    dial_result all;
    for (const auto& each : where) {
        auto socket = co_await io::with_timeout(engine, dial(engine, each), timeout);
        if (socket) {
            all.socket = std::move(*socket);
            all.reached = each;
            break;
        }
        all.refusals.push_back({each, socket.error()});
        if (socket.error() == fault::cancelled) break;
    }
    co_return all;
}

}  // namespace sluice::net
