// A first client: ask HOST:PORT TEXT sends a line and prints what the server answers.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "sluice/io.hpp"

using namespace sluice;
using namespace std::chrono_literals;

namespace {

coro::task<result<std::string>> ask(io::engine& engine, net::address where, std::string line) {
    auto socket = co_await net::dial(engine, where);
    if (!socket) co_return failure(socket.error());
    net::connection server{engine, std::move(*socket)};
    result<std::string> answer;
    auto sent = co_await server.send_all(line);
    if (!sent) answer = failure(sent.error());
    while (answer && !answer->ends_with('\n')) {
        auto got = co_await server.recv();  // a lease on a buffer of the engine
        if (!got) answer = failure(got.error());
        if (got && got->empty()) break;  // the end of the stream
        if (got) *answer += got->text();
    }
    co_await server.close();
    co_return answer;
}

coro::task<result<std::string>> in_time(io::engine& engine, net::address where, std::string line) {
    co_return co_await io::with_timeout(engine, ask(engine, where, std::move(line)), 5s);
}

}  // namespace

int main(int argc, char** argv) {
    const auto where = net::address::parse(argc == 3 ? argv[1] : "");
    if (!where) {
        std::fprintf(stderr, "usage: ask HOST:PORT TEXT\n");
        return EXIT_FAILURE;
    }
    auto engine = io::make_engine(io::automatic_engine().kind);
    if (!engine) return EXIT_FAILURE;
    const auto answer = io::run(**engine, in_time(**engine, *where, std::string{argv[2]} + '\n'));
    if (!answer) {
        std::fprintf(stderr, "ask: %s\n", answer.error().message().c_str());
        return EXIT_FAILURE;
    }
    std::printf("%s", answer->c_str());
}
