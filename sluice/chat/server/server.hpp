// The chat as a whole: a hub and a door a shard, from the first client to the last farewell.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "sluice/base/fd.hpp"
#include "sluice/base/result.hpp"
#include "sluice/chat/server/directory.hpp"
#include "sluice/chat/server/hub.hpp"
#include "sluice/chat/server/limits.hpp"
#include "sluice/chat/server/relay.hpp"
#include "sluice/chat/server/transcript.hpp"
#include "sluice/coro/context.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/coro/task.hpp"
#include "sluice/io/barrier.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/mailbox.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/model/address_limit.hpp"
#include "sluice/model/memory_trimmer.hpp"
#include "sluice/model/troubles.hpp"
#include "sluice/net/address.hpp"

namespace sluice::chat {

/// Serves a chat on N threads, each with an engine of the same kind and a listener on the same
/// port: the one that runs it and others of its own, or those of somebody else's shards.
class server {
 public:
    struct options {
        limits allowed;
        std::size_t shards = 1;
        io::engine_options engine;  ///< of the other shards
        std::chrono::milliseconds grace{
            5000};                   ///< how long members may take to read their last lines
        transcript* seen = nullptr;  ///< nullptr: nobody looks
        model::complaints troubles;  ///< what goes wrong, a line a kind and minute
    };

    /// `doors` are sockets that listen, one a shard (net::listen_options::share_port).
    server(std::vector<unique_fd> doors, options o);
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server();

    /// On `home`, which is not the blocking engine and outlives this, and its thread: calls `ready`
    /// once everybody can be served, and serves until stop(). EAGAIN and the like where a shard
    /// could not be started, ENOMEM where one could not begin. Once.
    [[nodiscard]] coro::task<result<void>> run(io::engine& home, std::function<void()> ready);

    /// Thread of run(), also before it. The first time nobody else is let in, and the members are
    /// told and given the grace to read what they have; the second time everything ends at once.
    void stop() noexcept;

    /// Instead of run(), for each shard from 0 on its own thread (model::resident): serves until
    /// `patience` is cancelled and the members have read what they have, or everything is.
    [[nodiscard]] coro::task<void> live_on(io::engine& shard, std::size_t number,
                                           coro::context& patience);
    /// Any thread: some shard will not come, so nobody is served, and each live_on() returns.
    void give_up() noexcept { all_here_.abandon(); }

    /// Thread of run(). Calls `told` soon, on this thread, with what all shards have counted until
    /// then: once all stand, if they do not yet, and of several asked for until then the last;
    /// never if nothing is served.
    void count(std::function<void(const counters&)> told);
    /// The same once everything has ended.
    [[nodiscard]] counters counted() const;

 private:
    /// What a shard lends the server while it serves; its thread only.
    struct post : io::timer {
        /// Tells the shard of a stop, and needs no memory for it.
        struct stop_letter : io::letter {
            explicit stop_letter(server& s, post& p) noexcept;
            server& owner;
            post& to;
        };
        post(server& owner, unique_fd socket) noexcept;
        unique_fd door;
        std::array<stop_letter, 2> stop_letters;  // the first stop, and the second
        io::engine* home = nullptr;
        hub* here = nullptr;
        coro::context* arrivals = nullptr;
        coro::scope* members = nullptr;
        unsigned stops = 0;
        counters counted;
    };

    struct heeding;
    coro::task<void> stand(io::engine& here, std::size_t index, coro::context* patience);
    coro::task<void> serve(io::engine& here, std::size_t index, coro::context* patience);
    void begin(post& p, coro::context& everything) noexcept;
    coro::task<void> receive(post& p);
    coro::task<void> sweep(post& p);
    coro::task<void> add_up(std::function<void(const counters&)> told);
    void hear_stop(post& p) noexcept;

    io::engine* home_ = nullptr;                    // of shard 0, while it serves
    std::optional<model::memory_trimmer> trimmer_;  // of run(); models have one of their own
    options options_;
    model::troubles troubles_;
    model::address_limit by_address_;
    directory people_;
    relay relay_;
    io::barrier all_here_;
    io::barrier all_served_;
    io::barrier all_gone_;
    std::vector<std::unique_ptr<post>> posts_;
    std::vector<std::unique_ptr<io::shard>> shards_;
    std::function<void()> ready_;
    std::function<void(const counters&)> early_count_;  // asked for before all shards stand
    std::optional<coro::scope> errands_;
    unsigned stops_ = 0;
};

}  // namespace sluice::chat
