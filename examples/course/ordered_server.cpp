// Task 1, the server: one client, strictly in turn, each side reading and writing in its order.
//
//     ordered_server [PORT]        the client speaks first; "exit" ends it for both
#include <cstdio>
#include <string>

#include "sluice/io.hpp"
#include "sluice/term/console.hpp"

using namespace sluice;

namespace {

constexpr std::size_t longest = 64 * 1024;

coro::task<> answer_each(io::engine& engine, net::listener& listener) {
    auto socket = co_await listener.accept();
    if (!socket) co_return;
    net::connection client{engine, std::move(*socket)};
    auto keyboard = term::console::open(engine, 0);
    if (!keyboard) co_return;
    net::framed received{client, wire::framing::line, longest};
    net::framed typed{**keyboard, wire::framing::line, longest};
    for (;;) {
        // The wait for the client, and after it the wait for the keyboard: never both at once.
        auto message = co_await received.next();
        if (!message || !*message || (*message)->text == "exit") break;
        std::printf("client: %.*s\n", static_cast<int>((*message)->text.size()),
                    (*message)->text.data());
        std::fflush(stdout);
        auto line = co_await typed.next();
        const std::string reply{line && *line ? (*line)->text : "exit"};
        auto sent = co_await client.send_all(reply + '\n');
        if (!sent || reply == "exit") break;
    }
    co_await client.close();
}

}  // namespace

int main(int argc, char** argv) {
    // On this engine each co_await blocks the thread until it is done, as a call of recv(2) does.
    auto engine = io::make_engine(io::engine_kind::blocking);
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
    io::run(**engine, answer_each(**engine, listener), root);
}
