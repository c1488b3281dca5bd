// Passes sockets that one shard accepted to another that serves them.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/model/address_limit.hpp"
#include "sluice/model/announced.hpp"
#include "sluice/os/fd.hpp"
#include "sluice/os/mutex.hpp"

namespace sluice::model {

/// Any thread gives; the taker receives on the thread of the engine that it is open on.
class hand_over : io::message {
 public:
    /// An accepted socket, the number of its endpoint, its permit there, and whose it is.
    struct client {
        unique_fd socket;
        std::size_t listener = 0;
        address_limit::permit permit = {};
        announced_address announced = {};
    };

    /// `take` is called with each client, on the taker's thread. It must not throw.
    explicit hand_over(std::function<void(client)> take);
    hand_over(const hand_over&) = delete;
    hand_over& operator=(const hand_over&) = delete;
    ~hand_over() = default;

    /// Any thread. False if it is not open, or there is no memory: the caller then keeps the
    /// client.
    [[nodiscard]] bool give(client& accepted) noexcept;

    /// The taker's thread, that of `engine`. Clients are taken from now on.
    void open(io::engine& engine) noexcept;
    /// The taker's thread: no client is taken from now on. Returns the clients on their way.
    [[nodiscard]] std::vector<client> close() noexcept;
    /// After close(): true if no message to the engine is pending any more, so that it may die.
    [[nodiscard]] bool idle() noexcept;

 private:
    void deliver() noexcept;

    std::function<void(client)> take_;
    os::mutex mutex_;
    io::engine* engine_ = nullptr;
    std::vector<client> waiting_;
    bool posted_ = false;
};

}  // namespace sluice::model
