// The thread model: a thread for each client.
#pragma once

#include <list>

#include "sluice/model/model.hpp"

namespace sluice::model {

/// Home accepts and starts a thread with a bounded stack and an engine of its own, and joins it
/// when the client is gone.
class thread final : public server {
 public:
    thread(io::engine& home, std::vector<entrance> entrances, options o);
    ~thread() override;

 private:
    class visit;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;
    coro::task<result<void>> receive(arrival client);

    std::list<visit> visits_;
};

}  // namespace sluice::model
