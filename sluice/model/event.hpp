// The event model: one engine and one listener a core, and every client a coroutine.
#pragma once

#include <list>

#include "sluice/model/model.hpp"
#include "sluice/model/seats.hpp"

namespace sluice::model {

/// Each shard is a thread with an engine on epoll or io_uring and a listener of its own on the one
/// port; the kernel spreads the connections (socket(7), SO_REUSEPORT). Home starts the shards, and
/// waits.
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

    seats seats_;
    std::list<share> shares_;
};

}  // namespace sluice::model
