// Implements with_login() over auth::ask_who().
#include "sluice/model/with_login.hpp"

#include <utility>

namespace sluice::model {
namespace {

coro::task<void> serve_known(session& client, const auth::line_door& door, const service& serve,
                             const refused_logins& told) {
    const auto from = client.address();
    if (!from) co_return;
    const auto begun = io::clock::now();
    auto asking = auth::ask_who(client.peer(), *from, door, client.drain_context());
    asking.set_context(client.drain_context());
    const auto who = co_await asking;
    if (!who) {
        tell_turned_away(told, *from, who.error(), begun);
        co_return;
    }
    client.set_account(&(*who)->name);
    co_await serve(client);
    client.set_account(nullptr);
}

}  // namespace

void tell_turned_away(const refused_logins& to, const net::address& client,
                      const auth::turned_away& what, io::time_point begun) noexcept {
    if (to.log == nullptr) return;
    to.log->record({.kind = to.kind,
                    .client = client,
                    .user = what.who != nullptr ? std::string_view{what.who->name} : "",
                    .reason = what.why,
                    .took = io::clock::now() - begun});
}

service with_login(auth::line_door door, service serve, refused_logins told) {
    return [door = std::move(door), serve = std::move(serve), told](session& client) {
        return serve_known(client, door, serve, told);
    };
}

}  // namespace sluice::model
