// Serves one connection from its first byte to its close.
#pragma once

#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/model/model.hpp"
#include "sluice/model/session.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::model {

struct nothing {};

/// Serves `socket`, `announced`'s, in the awaiter's context. `drain_context`, `serve` and `log`
/// outlive it; the token is kept until the connection is closed. A service that std::bad_alloc
/// ended has its connection reset, and `log` reports it. Without memory for this coroutine, the
/// socket is closed.
template <class Token = nothing>
coro::task<void> serve_connection(io::engine& engine, unique_fd socket,
                                  coro::context& drain_context, const service& serve,
                                  event_log& log, Token /*until_gone*/ = {},
                                  announced_address announced = {}) {
    session client{engine, std::move(socket), drain_context, std::move(announced)};
    client.peer().set_nodelay();
    report_coming(log, client);
    if (auto served = co_await serve(client).outcome(); !served) {
        report_lost(log, client, served.error());
    }
    report_going(log, client);
    co_await client.peer().close();
}

}  // namespace sluice::model
