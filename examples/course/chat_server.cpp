// Task 3, the server: a member speaks at any time, all others receive it; one thread for all.
//
//     chat_server [PORT]        members: chat_client, nc, Python sockets
#include <cstdio>
#include <list>
#include <string>

#include "sluice/io.hpp"

using namespace sluice;

namespace {

constexpr std::size_t longest = 64 * 1024;
constexpr std::size_t unread = 64;  // messages that a member may leave unread

struct member {
    member(io::engine& engine, unique_fd socket) : connection{engine, std::move(socket)} {}
    net::connection connection;
    coro::channel<std::string> outgoing{unread};
};
using room = std::list<member>;

/// Writes what is for one member, so that no member waits for a slow one.
coro::task<> deliver(member& to) {
    while (auto line = co_await to.outgoing.receive()) {
        auto sent = co_await to.connection.send_all(*line);
        if (!sent) break;
    }
}

coro::task<> serve(io::engine& engine, unique_fd socket, room& all, int number) {
    const auto name = "[Client " + std::to_string(number) + "]: ";
    auto& me = all.emplace_back(engine, std::move(socket));
    coro::scope writing{co_await coro::this_context()};
    static_cast<void>(writing.spawn(deliver(me)));
    net::framed received{me.connection, wire::framing::line, longest};
    for (;;) {
        auto message = co_await received.next();
        if (!message || !*message) break;
        const auto line = name + std::string{(*message)->text} + '\n';
        for (auto& each : all) {
            // A member whose channel is full reads too slowly, and misses this line.
            if (&each != &me) static_cast<void>(each.outgoing.try_send(line));
        }
    }
    writing.cancel();
    co_await writing.join();
    co_await me.connection.close();
    all.remove_if([&me](const member& each) { return &each == &me; });
}

coro::task<> accept_all(io::engine& engine, net::listener& listener) {
    room all;
    coro::scope members{co_await coro::this_context()};
    for (int number = 1;; ++number) {
        auto socket = co_await listener.accept();
        if (!socket) break;
        static_cast<void>(members.spawn(serve(engine, std::move(*socket), all, number)));
    }
    co_await members.join();
}

}  // namespace

int main(int argc, char** argv) {
    auto engine = io::make_engine(io::automatic_engine().kind);
    auto where = net::address::parse(argc > 1 ? argv[1] : "5000");
    auto socket = where ? net::listen(*where) : failure(where.error());
    if (!engine || !socket) {
        const auto why = engine ? socket.error() : engine.error();
        std::fprintf(stderr, "cannot listen: %s\n", why.message().c_str());
        return 1;
    }
    net::listener listener{**engine, std::move(*socket)};
    std::fprintf(stderr, "listening on %s\n", listener.local()->to_string().c_str());
    coro::context root{(*engine)->ready()};
    io::run(**engine, accept_all(**engine, listener), root);
}
