// Implements with_login() over auth::ask_who().
#include "sluice/model/with_login.hpp"

#include <utility>

namespace sluice::model {
namespace {

coro::task<void> serve_known(session& client, const auth::line_door& door, const service& serve) {
    const auto from = client.address();
    if (!from) co_return;
    auto asking = auth::ask_who(client.peer(), *from, door, client.drain_context());
    asking.set_context(client.drain_context());
    const auto who = co_await asking;
    if (who == nullptr) co_return;
    client.set_account(&who->name);
    co_await serve(client);
    client.set_account(nullptr);
}

}  // namespace

service with_login(auth::line_door door, service serve) {
    return [door = std::move(door), serve = std::move(serve)](session& client) {
        return serve_known(client, door, serve);
    };
}

}  // namespace sluice::model
