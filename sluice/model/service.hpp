// Service: the coroutine that serves a connection, and its state per shard.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "sluice/coro/context.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/model/address_limit.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/model/session.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/tls/handshake.hpp"

namespace sluice::model {

/// The coroutine that serves a session. Called once per client, from any thread or process that
/// serves one; the connection is closed when the coroutine has ended. It returns when a wait gives
/// fault::cancelled, and does not throw.
using service = std::function<coro::task<void>(session&)>;

/// The shard of a service's state; all of it outlives the state.
struct shard_place {
    io::engine& engine;    ///< of the shard
    std::size_t index;     ///< of the shard, from 0
    coro::context& drain;  ///< cancelled when draining begins
};

/// What gives admissions, and takes them back.
class admitter {
 public:
    admitter(const admitter&) = delete;
    admitter& operator=(const admitter&) = delete;
    virtual ~admitter() = default;
    /// Returns one permit of that endpoint.
    virtual void release(std::size_t endpoint) noexcept = 0;

 protected:
    admitter() = default;
};

/// The permits of one connection, returned by the destructor. Thread of the shard that serves it.
class admission {
 public:
    admission() noexcept = default;
    /// `owner`, which outlives it, is told once, at the end.
    admission(admitter& owner, std::size_t endpoint, address_limit::permit permit) noexcept
        : owner_{&owner}, endpoint_{endpoint}, permit_{std::move(permit)} {}
    /// Leaves `other` without permits.
    admission(admission&& other) noexcept
        : owner_{std::exchange(other.owner_, nullptr)},
          endpoint_{other.endpoint_},
          permit_{std::move(other.permit_)} {}
    admission& operator=(admission&&) = delete;
    admission(const admission&) = delete;
    admission& operator=(const admission&) = delete;
    ~admission() {
        if (owner_ != nullptr) owner_->release(endpoint_);
    }

 private:
    admitter* owner_ = nullptr;
    std::size_t endpoint_ = 0;
    address_limit::permit permit_;
};

/// A connection that was accepted. Its permits are held until this is destroyed.
struct accepted_connection {
    unique_fd socket;        ///< connected
    admission permits = {};  ///< returned when it is destroyed
    /// If given, the state makes the connection secure (make_secure()). Outlives it, as `drain`.
    const tls::door* over = nullptr;
    coro::context* drain = nullptr;    ///< cancelled when draining begins
    announced_address announced = {};  ///< the client's address is address_of() this
};

/// State of a service on one shard of the event model, such as the members of a chat: state that
/// its sessions share, and tasks beside them. Made, used and destroyed on the shard's thread.
///
/// No session begins on any shard before all states are made. When the sessions of a shard have
/// ended, the others may still send it messages; no state is destroyed before sessions_ended() was
/// called on every shard and all messages posted until then were delivered.
class shard_state {
 public:
    shard_state() = default;
    shard_state(const shard_state&) = delete;
    shard_state& operator=(const shard_state&) = delete;
    virtual ~shard_state() = default;

    /// Serves a connection until it is closed; ends soon after its context is cancelled. Takes the
    /// connection itself, unlike a `service`, so that an idle one costs one coroutine frame.
    [[nodiscard]] virtual coro::task<void> serve(accepted_connection client) = 0;
    /// Runs beside the sessions, and returns when it is cancelled, which happens when draining
    /// begins.
    [[nodiscard]] virtual coro::task<void> run() = 0;
    /// No shard accepts connections any more, and what other states had posted to this shard by
    /// then is delivered: the sessions are to come to their end.
    virtual void drain() noexcept = 0;
    /// From now on it may post nothing to another shard.
    virtual void sessions_ended() noexcept = 0;
};

/// Makes the state of a service on one shard, on its thread. Throws std::bad_alloc.
using state_factory = std::function<std::unique_ptr<shard_state>(const shard_place&)>;

/// A listening socket, and the service of the connections that it accepts.
struct endpoint {
    unique_fd listener;  ///< as net::listen() makes it
    /// More sockets of the same address (SO_REUSEPORT), which are served alike.
    std::vector<unique_fd> more = {};
    /// The sockets are all that there are to be: those of another process, or of an address that
    /// sockets cannot share. Shards that would have none accept at one of another's.
    bool is_complete = false;
    service serve = {};  ///< of each connection, unless `state` is given
    /// Instead of `serve`, under the event model alone. Such a service limits the number of its
    /// sessions itself, and can answer those over the limit: max_clients is not applied to it.
    state_factory state = {};
    tls::door over = {};  ///< with a context: the connections are secured before they are served
};

}  // namespace sluice::model
