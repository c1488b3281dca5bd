// An echo server on the sluice library: echo PORT [--engine epoll|uring].
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "sluice/coro/scope.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/listener.hpp"

using namespace sluice;

namespace {

coro::task<> echo(io::engine& engine, unique_fd socket) {
    net::connection peer{engine, std::move(socket)};
    peer.set_nodelay();
    for (;;) {
        auto got = co_await peer.recv();  // a lease: the buffer goes home when it dies
        if (!got || got->empty()) break;
        auto sent = co_await peer.send_all(got->bytes());
        if (!sent) break;
    }
    co_await peer.close();
}

coro::task<> serve(io::engine& engine, net::listener& listener) {
    coro::scope sessions{co_await coro::this_context()};
    while (auto socket = co_await listener.accept()) {
        if (!sessions.spawn(echo(engine, std::move(*socket)))) break;
    }
    co_await sessions.join();
}

}  // namespace

int main(int argc, char** argv) {
    auto kind = io::automatic_engine().kind;
    if (argc == 4 && argv[3] == std::string_view{"epoll"}) kind = io::engine_kind::epoll;
    if (argc == 4 && argv[3] == std::string_view{"uring"}) kind = io::engine_kind::uring;
    auto engine = io::make_engine(kind);
    auto where = net::address::parse(argc > 1 ? argv[1] : "7000");
    auto socket = where ? net::listen(*where) : failure(where.error());
    if (!engine || !socket) {
        const auto why = engine ? socket.error() : engine.error();
        std::fprintf(stderr, "echo: %s\n", why.message().c_str());
        return EXIT_FAILURE;
    }
    net::listener listener{**engine, std::move(*socket)};
    std::fprintf(stderr, "listening on %s\n", listener.local()->to_string().c_str());
    io::run(**engine, serve(**engine, listener));
}
