// dial(): connects to an address, or to the first of several that answers.
#pragma once

#include <span>
#include <vector>

#include "sluice/base/result.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/address.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::net {

/// A socket connected to `where`, with TCP keepalive (keep_alive()). Errno of socket(2) or
/// connect(2): ECONNREFUSED if no socket listens there, ETIMEDOUT, ENETUNREACH ...;
/// fault::cancelled, with nothing left open.
[[nodiscard]] coro::task<result<unique_fd>> dial(io::engine& engine, address where) noexcept;

/// Outcome of dial_any().
struct dial_result {
    /// An address that was tried in vain.
    struct refusal {
        address where;                 ///< that was tried
        error why = fault::timed_out;  ///< fault::timed_out if there was no answer in time
    };

    unique_fd socket;               ///< connected, or none
    address reached;                ///< the address that it is connected to
    std::vector<refusal> refusals;  ///< of the addresses that were tried before it, in order

    /// True if it is connected.
    explicit operator bool() const noexcept { return static_cast<bool>(socket); }
    /// If it failed: the last reason; fault::cancelled if it was cancelled.
    [[nodiscard]] error why() const noexcept {
        return refusals.empty() ? fault::bad_address : refusals.back().why;
    }
};

/// Tries the addresses in order, each for `timeout`, until one answers. `where` outlives it.
[[nodiscard]] coro::task<dial_result> dial_any(io::engine& engine, std::span<const address> where,
                                               io::duration timeout);

}  // namespace sluice::net
