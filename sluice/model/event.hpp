// The event model: an engine and a listener per core, and a coroutine per client.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <vector>

#include "sluice/io/barrier.hpp"
#include "sluice/model/connection_limit.hpp"
#include "sluice/model/model.hpp"

namespace sluice::model {

/// Each shard is a thread with an engine on epoll or io_uring and its own listeners on the shared
/// ports; the kernel spreads the connections (socket(7), SO_REUSEPORT), and `spread_evenly` evens
/// them out. The thread that runs the model starts the shards, and waits.
class event final : public server {
 public:
    event(io::engine& engine, std::vector<endpoint> endpoints, server_options o);
    ~event() override;

    [[nodiscard]] bool has_turned() noexcept override;
    [[nodiscard]] std::vector<std::uint64_t> spread() const override;
    [[nodiscard]] std::vector<shard_counts> by_shard() const override;
    [[nodiscard]] bool has_shards() const noexcept override { return true; }

 private:
    class share;
    struct numbered_listener {
        std::size_t endpoint = 0;
        unique_fd socket;
    };

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;
    void limits_changed() noexcept override;
    [[nodiscard]] result<void> open_listeners() override;
    /// Make sockets of one endpoint until each shard has one.
    [[nodiscard]] result<void> open_more(std::vector<unique_fd>& sockets) const;
    [[nodiscard]] result<void> share_sockets(std::vector<unique_fd>& sockets) const;
    /// The shard that serves a client that `accepting` has accepted. Any thread.
    [[nodiscard]] share& least_busy(share& accepting) const noexcept;

    /// Any thread: counts a session that begins or ends.
    void client_served() noexcept;
    void client_ended() noexcept;

    unsigned shards_;
    io::barrier all_ready_;                // before the first session
    io::barrier all_draining_;             // after the last connection was accepted
    io::barrier all_drained_;              // after the last one
    io::barrier all_delivered_;            // after the messages that states had sent until then
    std::deque<connection_limit> limits_;  // permits, by endpoint
    // The same of connections that wait for their PROXY header: a service with state, which limits
    // its clients itself, does not see them yet.
    std::deque<connection_limit> header_limits_;
    std::atomic<std::uint64_t> clients_ = 0;
    std::list<share> shares_;
    std::vector<share*> all_;  // complete before the first of them starts
};

}  // namespace sluice::model
