// Passes sockets that one shard accepted to another that serves them.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/model/address_limit.hpp"

namespace sluice::model {

/// One end gives, from any thread; the other takes, on the thread of the engine it is open on.
class hand_over : io::letter {
 public:
    /// An accepted socket, the number of the door it came in by, and its permit there.
    struct client {
        unique_fd socket;
        std::size_t door = 0;
        address_limit::permit permit = {};
    };

    /// `take` is called with each client, on the taker's thread. It must not throw.
    explicit hand_over(std::function<void(client)> take);
    hand_over(const hand_over&) = delete;
    hand_over& operator=(const hand_over&) = delete;
    ~hand_over() = default;

    /// Any thread. False if nobody takes there, not yet or no longer, or there is no memory: `who`
    /// then stays with the caller.
    [[nodiscard]] bool give(client& who) noexcept;

    /// The taker's thread, `here`'s. Clients are taken from now on.
    void open(io::engine& here) noexcept;
    /// The taker's thread: nobody is taken from now on. Those who were on their way.
    [[nodiscard]] std::vector<client> close() noexcept;
    /// After close(): whether nothing is under way to the engine any more, so that it may die.
    [[nodiscard]] bool quiet() noexcept;

 private:
    void deliver() noexcept;

    std::function<void(client)> take_;
    std::mutex mutex_;
    io::engine* there_ = nullptr;
    std::vector<client> waiting_;
    bool posted_ = false;
};

}  // namespace sluice::model
