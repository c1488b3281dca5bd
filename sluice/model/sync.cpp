// Implements the sync model: accepts a client, serves it, and accepts the next.
#include "sluice/model/sync.hpp"

#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/model/serve_connection.hpp"

namespace sluice::model {

sync::sync(io::engine& engine, std::vector<endpoint> endpoints, server_options o)
    : server{engine, std::move(endpoints), std::move(o)} {}

coro::task<result<void>> sync::serve() {
    ready();
    for (;;) {
        auto client = co_await next_client();
        if (!client && should_retry(client.error())) {
            co_await io::sleep_for(engine(), retry_interval);
            continue;
        }
        if (!client) co_return failure(client.error());
        client_came(client->endpoint);
        auto served = co_await serve_connection(engine(), std::move(client->socket),
                                                drain_context(), *client->serve, log())
                          .outcome();
        if (!served) report_shortage(log(), served.error());
        client_left(client->endpoint);
    }
}

}  // namespace sluice::model
