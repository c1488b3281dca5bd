// The synchronous model: one client after another, on one thread.
#pragma once

#include "sluice/model/model.hpp"

namespace sluice::model {

/// Clients that connect while another is served wait in the backlog.
class sync final : public server {
 public:
    sync(io::engine& engine, std::vector<endpoint> endpoints, server_options o);

 private:
    coro::task<result<void>> serve() override;
    coro::task<result<void>> receive(arrival client);
};

}  // namespace sluice::model
