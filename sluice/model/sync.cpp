// Accept, serve, and accept the next.
#include "sluice/model/sync.hpp"

#include <utility>

#include "sluice/model/attend.hpp"

namespace sluice::model {

sync::sync(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)} {}

coro::task<result<void>> sync::serve() {
    ready();
    for (;;) {
        auto client = co_await next_client();
        if (!client) co_return failure(client.error());
        client_came(client->entrance);
        co_await attend(home(), std::move(client->socket), patience(), *client->serve);
        client_left(client->entrance);
    }
}

}  // namespace sluice::model
