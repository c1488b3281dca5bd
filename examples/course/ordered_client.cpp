// Task 1, the client: says a line, waits for the answer, says the next.
//
//     ordered_client [HOST:PORT]        "exit" ends it for both
#include <cstdio>
#include <string>

#include "sluice/io.hpp"
#include "sluice/term/console.hpp"

using namespace sluice;

namespace {

constexpr std::size_t longest = 64 * 1024;

coro::task<result<void>> speak(io::engine& engine, net::address where) {
    auto socket = co_await net::dial(engine, where);
    if (!socket) co_return failure(socket.error());
    auto keyboard = term::console::open(engine, 0);
    if (!keyboard) co_return failure(keyboard.error());
    net::connection server{engine, std::move(*socket)};
    net::framed received{server, wire::framing::line, longest};
    net::framed typed{**keyboard, wire::framing::line, longest};
    for (;;) {
        auto line = co_await typed.next();
        const std::string said{line && *line ? (*line)->text : "exit"};
        auto sent = co_await server.send_all(said + '\n');
        if (!sent || said == "exit") break;
        auto answer = co_await received.next();
        if (!answer || !*answer || (*answer)->text == "exit") break;
        std::printf("server: %.*s\n", static_cast<int>((*answer)->text.size()),
                    (*answer)->text.data());
        std::fflush(stdout);
    }
    co_await server.close();
    co_return result<void>{};
}

}  // namespace

int main(int argc, char** argv) {
    auto engine = io::make_engine(io::engine_kind::blocking);
    const auto where = net::address::parse(argc > 1 ? argv[1] : "5000");
    if (!engine || !where) {
        std::fprintf(stderr, "usage: ordered_client [HOST:PORT]\n");
        return 2;
    }
    const auto ended = io::run(**engine, speak(**engine, *where));
    if (ended) return 0;
    std::fprintf(stderr, "cannot reach the server: %s\n", ended.error().message().c_str());
    return 3;
}
