// A client as its service sees it, whatever the model.
#pragma once

#include <cstdint>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::model {

/// How far a stop has come.
enum class stage : std::uint8_t {
    serving,
    draining,  ///< nobody is waited for any more; what was begun is finished
    ending,    ///< everything is cancelled
};

/// A connection, and what its service should know of the house. A source of messages, as
/// net::framed wants one. Belongs to the thread that runs its engine at the moment.
class guest {
 public:
    using chunk = net::connection::chunk;

    /// `patience` outlives it.
    guest(io::engine& here, unique_fd socket, coro::context& patience) noexcept
        : peer_{here, std::move(socket)}, patience_{patience} {}

    [[nodiscard]] net::connection& peer() noexcept { return peer_; }
    [[nodiscard]] io::engine& home() const noexcept { return peer_.home(); }
    [[nodiscard]] auto recv() noexcept { return peer_.recv(); }

    /// Cancelled when draining begins: wait in it for what the client may yet ask, and nothing
    /// that it has asked is cut short.
    [[nodiscard]] coro::context& patience() noexcept { return patience_; }

 private:
    net::connection peer_;
    coro::context& patience_;
};

}  // namespace sluice::model
