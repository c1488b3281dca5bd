// The event model: one engine and one listener a core, and every client a coroutine.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <vector>

#include "sluice/model/model.hpp"
#include "sluice/model/seats.hpp"

namespace sluice::model {

/// Each shard is a thread with an engine on epoll or io_uring and a listener of its own on the one
/// port; the kernel spreads the connections (socket(7), SO_REUSEPORT), and options::spread_evenly
/// evens out what it left uneven. Home starts the shards, and waits.
class event final : public server {
 public:
    event(io::engine& home, std::vector<entrance> entrances, options o);
    ~event() override;

    [[nodiscard]] std::vector<std::uint64_t> spread() const override;

 private:
    class share;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;
    [[nodiscard]] result<void> open_doors();
    /// Who serves a client that `accepting` has accepted. Any thread.
    [[nodiscard]] share& least_busy(share& accepting) const noexcept;

    /// Any thread: a client's session begins or is over.
    void client_served() noexcept;
    void client_ended() noexcept;

    std::deque<seats> seats_;  // permits by entrance
    std::atomic<std::uint64_t> clients_ = 0;
    std::list<share> shares_;
    std::vector<share*> all_;  // as they stand before the first of them starts
};

}  // namespace sluice::model
