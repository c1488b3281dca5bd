// A client as its service sees it, whatever the model.
#pragma once

#include <coroutine>
#include <cstdint>
#include <utility>

#include "sluice/base/fd.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/timer.hpp"
#include "sluice/net/connection.hpp"

namespace sluice::model {

/// How far a stop has come.
enum class stage : std::uint8_t {
    serving,
    draining,  ///< nobody is waited for any more; what was begun is finished
    ending,    ///< everything is cancelled
};

/// A connection, and what its service should know of the house. A source of messages, as
/// net::framed wants one. Belongs to the thread that serves it at the moment.
class guest {
 public:
    using chunk = net::connection::chunk;

    /// `patience` outlives it. `roams`: between two requests the client waits where no thread is
    /// held for it, and another one may serve it next.
    guest(io::engine& here, unique_fd socket, coro::context& patience, bool roams = false) noexcept
        : peer_{here, std::move(socket)}, patience_{patience}, roams_{roams} {}

    [[nodiscard]] net::connection& peer() noexcept { return peer_; }
    [[nodiscard]] io::engine& home() const noexcept { return peer_.home(); }
    [[nodiscard]] auto recv() noexcept { return peer_.recv(); }

    /// Cancelled when draining begins: wait in it for what the client may yet ask, and nothing
    /// that it has asked is cut short.
    [[nodiscard]] coro::context& patience() noexcept { return patience_; }

    /// True if turn() may give this thread to others.
    [[nodiscard]] bool roams() const noexcept { return roams_; }
    /// `co_await g.turn(until)`: others may have this thread until the client has sent something,
    /// or the time has come. Hold nothing of the engine's meanwhile, neither leases nor references:
    /// it may be another one afterwards. Costs nothing where nobody would gain by it.
    [[nodiscard]] auto turn(io::time_point until = io::never) noexcept {
        return turn_awaiter{*this, until};
    }

    /// For the model: who waits for the client's next words, if anybody does.
    [[nodiscard]] std::coroutine_handle<> take_waiter() noexcept {
        return std::exchange(waiter_, nullptr);
    }
    /// For the model: until when, if he is to go on without them then.
    [[nodiscard]] io::time_point waits_until() const noexcept { return waits_until_; }

 private:
    struct turn_awaiter {
        guest& owner;
        io::time_point until;

        [[nodiscard]] bool await_ready() const noexcept { return !owner.roams_; }
        template <class Promise>
        bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
            if (h.promise().current_context().cancelled()) return false;
            owner.waiter_ = h;
            owner.waits_until_ = until;
            return true;
        }
        static void await_resume() noexcept {}
    };

    net::connection peer_;
    coro::context& patience_;
    std::coroutine_handle<> waiter_;
    io::time_point waits_until_ = io::never;
    bool roams_;
};

}  // namespace sluice::model
