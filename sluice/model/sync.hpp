// The synchronous model: one client after another, on one thread.
#pragma once

#include "sluice/model/model.hpp"

namespace sluice::model {

/// Whoever comes while a client is served waits in the backlog.
class sync final : public server {
 public:
    sync(io::engine& home, std::vector<entrance> entrances, options o);

 private:
    coro::task<result<void>> serve() override;
};

}  // namespace sluice::model
