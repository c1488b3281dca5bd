// The thread model: a thread per client.
#pragma once

#include <list>

#include "sluice/model/model.hpp"

namespace sluice::model {

/// The server accepts, starts a thread with a bounded stack and its own engine, and joins it when
/// the client is gone.
class thread final : public server {
 public:
    thread(io::engine& engine, std::vector<endpoint> endpoints, server_options o);
    ~thread() override;

 private:
    class client_thread;

    coro::task<result<void>> serve() override;
    void pass_on(stage now) noexcept override;
    coro::task<result<void>> receive(arrival client);

    std::list<client_thread> client_threads_;
};

}  // namespace sluice::model
