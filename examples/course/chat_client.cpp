// Task 3, the client: the keyboard and the socket at once, on one thread.
//
//     chat_client [HOST:PORT]
#include <cstdio>
#include <string>

#include "sluice/io.hpp"
#include "sluice/term/console.hpp"

using namespace sluice;

namespace {

/// What the server says, to the screen, until it ends.
coro::task<> show(net::connection& server, term::console& screen, coro::scope& both) {
    for (;;) {
        auto got = co_await server.recv();
        if (!got || got->empty()) break;
        auto shown = co_await screen.send_all(got->text());
        if (!shown) break;
    }
    both.cancel();
}

/// What is typed, to the server, until the end of input.
coro::task<> type(term::console& keyboard, net::connection& server) {
    for (;;) {
        auto typed = co_await keyboard.recv();
        if (!typed || typed->empty()) break;
        auto sent = co_await server.send_all(typed->text());
        if (!sent) break;
    }
    // The server may still have something to say.
    co_await server.end_sending();
}

coro::task<result<void>> take_part(io::engine& engine, net::address where) {
    auto socket = co_await net::dial(engine, where);
    if (!socket) co_return failure(socket.error());
    auto keyboard = term::console::open(engine, 0);
    auto screen = term::console::open(engine, 1);
    if (!keyboard || !screen) co_return failure_of(EBADF);
    net::connection server{engine, std::move(*socket)};
    coro::scope both{co_await coro::this_context()};
    static_cast<void>(both.spawn(show(server, **screen, both)));
    static_cast<void>(both.spawn(type(**keyboard, server)));
    co_await both.join();
    co_await server.close();
    co_return result<void>{};
}

}  // namespace

int main(int argc, char** argv) {
    auto engine = io::make_engine(io::automatic_engine().kind);
    const auto where = net::address::parse(argc > 1 ? argv[1] : "5000");
    if (!engine || !where) {
        std::fprintf(stderr, "usage: chat_client [HOST:PORT]\n");
        return 2;
    }
    const auto ended = io::run(**engine, take_part(**engine, *where));
    if (ended) return 0;
    std::fprintf(stderr, "cannot reach the server: %s\n", ended.error().message().c_str());
    return 3;
}
