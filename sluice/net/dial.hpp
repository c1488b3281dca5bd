// Connects to an address.
#pragma once

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/net/address.hpp"

namespace sluice::net {

/// A socket connected to `where`, with TCP keepalive (keep_alive()). Errno of socket(2) or
/// connect(2): ECONNREFUSED where nobody listens, ETIMEDOUT, ENETUNREACH ...; fault::cancelled,
/// with nothing left open.
[[nodiscard]] coro::task<result<unique_fd>> dial(io::engine& home, address where) noexcept;

}  // namespace sluice::net
