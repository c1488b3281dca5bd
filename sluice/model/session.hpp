// Session: a client's connection as its service sees it, under any model.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "sluice/coro/context.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/os/fd.hpp"

namespace sluice::model {

/// How far a stop has come.
enum class stage : std::uint8_t {
    serving,
    draining,  ///< no request is waited for; begun work is finished
    ending,    ///< everything is cancelled
};

/// A connection and its drain context. A source of messages for net::framed. Belongs to the thread
/// that runs its engine at the moment.
class session {
 public:
    /// The bytes of one read.
    using chunk = net::connection::chunk;

    /// `drain_context` outlives it.
    session(io::engine& engine, unique_fd socket, coro::context& drain_context,
            announced_address announced = {}) noexcept
        : peer_{engine, std::move(socket)},
          drain_context_{drain_context},
          announced_{std::move(announced)} {}

    /// The client's connection. The model closes it when the service has returned.
    [[nodiscard]] net::connection& peer() noexcept { return peer_; }
    /// The client's address: what a trusted proxy has announced, else the other end of the socket.
    /// Errors of net::connection::peer().
    [[nodiscard]] result<net::address> address() const {
        return address_of(announced_, peer_.fd());
    }
    /// The name of the account that its client has proved to have; empty if it was not asked.
    [[nodiscard]] std::string_view account() const noexcept {
        return account_ == nullptr ? std::string_view{} : *account_;
    }
    /// `name` outlives the session, or null.
    void set_account(const std::string* name) noexcept { account_ = name; }
    /// The engine of the connection.
    [[nodiscard]] io::engine& engine() const noexcept { return peer_.engine(); }
    /// As net::connection::recv().
    [[nodiscard]] auto recv() noexcept { return peer_.recv(); }

    /// Cancelled when draining begins. A service waits in it for the client's next request; the
    /// requests that have come are not cut short.
    [[nodiscard]] coro::context& drain_context() noexcept { return drain_context_; }

 private:
    net::connection peer_;
    coro::context& drain_context_;
    announced_address announced_;
    const std::string* account_ = nullptr;
};

}  // namespace sluice::model
