// Task 2: epoll behind co_await. An echo server that says what waiting has cost it.
//
//     epoll_wrapper [PORT] [epoll|uring]        Ctrl-C ends it and prints the counters
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <string_view>

#include "sluice/io.hpp"

using namespace sluice;

namespace {

coro::task<> echo(io::engine& engine, unique_fd socket) {
    net::connection client{engine, std::move(socket)};
    for (;;) {
        // An attempt first; where there is nothing, epoll is asked, and others have the thread.
        auto got = co_await client.recv();
        if (!got || got->empty()) break;
        auto sent = co_await client.send_all(got->bytes());
        if (!sent) break;
    }
    co_await client.close();
}

coro::task<> serve(io::engine& engine, net::listener& listener) {
    coro::scope clients{co_await coro::this_context()};
    while (auto socket = co_await listener.accept()) {
        // Without memory for its coroutine, the client is closed.
        static_cast<void>(clients.spawn(echo(engine, std::move(*socket))));
    }
    co_await clients.join();
    co_await listener.close();
}

coro::task<> until_signal(io::signals& signals, coro::scope& all) {
    static_cast<void>(co_await signals.next());
    all.cancel();
}

coro::task<> run_all(io::engine& engine, net::listener& listener, io::signals& signals) {
    coro::scope all{co_await coro::this_context()};
    static_cast<void>(all.spawn(until_signal(signals, all)));
    static_cast<void>(all.spawn(serve(engine, listener)));
    co_await all.join();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc > 2 ? argv[2] : "epoll";
    const auto kind = name == "uring" ? io::engine_kind::uring : io::engine_kind::epoll;
    auto engine = io::make_engine(kind);
    auto where = net::address::parse(argc > 1 ? argv[1] : "5000");
    auto socket = where ? net::listen(*where) : failure(where.error());
    if (!engine || !socket) {
        const auto why = engine ? socket.error() : engine.error();
        std::fprintf(stderr, "cannot listen: %s\n", why.message().c_str());
        return 1;
    }
    auto signals = io::signals::watch(**engine, {SIGINT, SIGTERM});
    if (!signals) return 1;
    net::listener listener{**engine, std::move(*socket)};
    std::fprintf(stderr, "listening on %s (%s)\n", listener.local()->to_string().c_str(),
                 io::to_text(kind).data());
    coro::context root{(*engine)->ready()};
    io::run(**engine, run_all(**engine, listener, *signals), root);
    const auto& seen = (*engine)->counters();
    std::printf("%" PRIu64 " operations, %" PRIu64 " done at once, in %" PRIu64 " turns\n",
                seen.operations, seen.at_once, seen.turns);
}
