// Accept, serve, and accept the next.
#include "sluice/model/sync.hpp"

#include <utility>

#include "sluice/model/attend.hpp"

namespace sluice::model {

sync::sync(io::engine& home, unique_fd door, service serve, options o)
    : server{home, std::move(door), std::move(serve), std::move(o)} {}

coro::task<result<void>> sync::serve() {
    ready();
    for (;;) {
        auto socket = co_await next_client();
        if (!socket) co_return failure(socket.error());
        client_came();
        co_await attend(home(), std::move(*socket), patience(), serving());
        client_left();
    }
}

}  // namespace sluice::model
