// One client from its first byte to its last.
#pragma once

#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/model/guest.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

struct nothing {};

/// Serves `socket` in the context it is awaited in. `serve` and `patience` outlive it; `until_gone`
/// is kept until the connection is closed. A service that std::bad_alloc ended has its connection
/// reset, and `told` hears of it. Without memory for this coroutine, the socket is closed.
template <class Token = nothing>
coro::task<void> attend(io::engine& here, unique_fd socket, coro::context& patience,
                        const service& serve, troubles& told, Token /*until_gone*/ = {}) {
    guest client{here, std::move(socket), patience};
    client.peer().send_promptly();
    if (auto served = co_await serve(client).outcome(); !served) {
        tell_lost(told, client.peer(), served.error());
    }
    co_await client.peer().close();
}

}  // namespace sluice::model
