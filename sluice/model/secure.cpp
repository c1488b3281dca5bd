// Implements secured() over tls::accept().
#include "sluice/model/secure.hpp"

#include <chrono>
#include <utility>

#include "sluice/net/lingering_close.hpp"

namespace sluice::model {
namespace {

using namespace std::chrono_literals;

// For a client that does not speak TLS to read why it is turned away.
constexpr net::linger_limits answer_limits{.idle = 2s, .longest = 2s};

coro::task<void> serve_secured(session& client, const tls::door& over, const service& serve) {
    const bool secure = co_await make_secure(client.peer(), over, client.drain_context());
    if (secure) co_await serve(client);
}

}  // namespace

coro::task<bool> make_secure(net::connection& client, const tls::door& over, coro::context& drain) {
    auto handshake = tls::accept(client, over);
    handshake.set_context(drain);
    const auto done = co_await std::move(handshake);
    if (done) co_return true;
    if (over.failed) over.failed(client, done.error());
    if (done.error() == fault::tls_missing) {
        co_await net::lingering_close(client, drain, answer_limits);
    } else {
        co_await client.close();
    }
    co_return false;
}

service secured(tls::door over, service serve) {
    return [over = std::move(over), serve = std::move(serve)](session& client) {
        return serve_secured(client, over, serve);
    };
}

}  // namespace sluice::model
