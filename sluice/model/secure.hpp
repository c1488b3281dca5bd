// Makes clients' connections secure before their service sees them.
#pragma once

#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/model/service.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/tls/handshake.hpp"

namespace sluice::model {

/// `serve` for connections that have made the handshake of `over`. Those that fail in it are
/// closed; it is broken off when draining begins.
[[nodiscard]] service secured(tls::door over, service serve);

/// The handshake of one connection. False if it failed: the connection is closed then.
[[nodiscard]] coro::task<bool> make_secure(net::connection& client, const tls::door& over,
                                           coro::context& drain);

}  // namespace sluice::model
