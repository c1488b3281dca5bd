// Implements the sync model: accepts a client, serves it, and accepts the next.
#include "sluice/model/sync.hpp"

#include <utility>

#include "sluice/model/serve_connection.hpp"

namespace sluice::model {

sync::sync(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)} {}

coro::task<result<void>> sync::serve() {
    ready();
    co_return co_await receive_clients(
        [this](arrival client) { return receive(std::move(client)); });
}

coro::task<result<void>> sync::receive(arrival client) {
    client_came(client.endpoint);
    auto served =
        co_await serve_connection(engine(), std::move(client.socket), drain_context(),
                                  *client.serve, log(), nothing{}, std::move(client.announced))
            .outcome();
    client_left(client.endpoint);
    if (!served) co_return failure(served.error());
    co_return result<void>{};
}

}  // namespace sluice::model
