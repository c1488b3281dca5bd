// Accept, serve, and accept the next.
#include "sluice/model/sync.hpp"

#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/model/attend.hpp"

namespace sluice::model {

sync::sync(io::engine& home, std::vector<entrance> entrances, options o)
    : server{home, std::move(entrances), std::move(o)} {}

coro::task<result<void>> sync::serve() {
    ready();
    for (;;) {
        auto client = co_await next_client();
        if (!client && survives(client.error())) {
            co_await io::sleep_for(home(), retry_interval);
            continue;
        }
        if (!client) co_return failure(client.error());
        client_came(client->entrance);
        auto served =
            co_await attend(home(), std::move(client->socket), patience(), *client->serve, told())
                .outcome();
        if (!served) tell_shortage(told(), served.error());
        client_left(client->entrance);
    }
}

}  // namespace sluice::model
