// Tasks 7 to 10: one slow function as a server, under each model.
//
//     fib_server sync|fork|thread|pool|event [PORT] [epoll|uring]        echo 30 | nc -N HOST PORT
#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "sluice/server.hpp"

using namespace sluice;

namespace {

constexpr std::size_t longest = 1024;
constexpr unsigned most = 45;

std::uint64_t fib(unsigned n) {
    return n < 2 ? 1 : fib(n - 1) + fib(n - 2);
}

coro::task<> serve(model::session& client, io::offload_pool* pool) {
    net::framed questions{client, wire::framing::line, longest};
    for (;;) {
        auto question = co_await questions.next();
        if (!question || !*question) co_return;
        const auto text = (*question)->text;
        unsigned n = 0;
        const auto read = std::from_chars(text.data(), text.data() + text.size(), n);
        std::string answer = "a number from 0 to 45, please\n";
        if (read.ec == std::errc{} && n <= most) {
            result<std::uint64_t> value;
            // A loop has others to serve meanwhile; any other thread has not.
            if (pool != nullptr)
                value = co_await pool->run(client.engine(), [n] { return fib(n); });
            if (pool == nullptr) value = fib(n);
            answer = value ? std::to_string(*value) + '\n' : value.error().message() + '\n';
        }
        auto sent = co_await client.peer().send_all(answer);
        if (!sent) co_return;
    }
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view name = argc > 1 ? argv[1] : "";
    for (const auto kind : {model::kind::sync, model::kind::fork, model::kind::thread,
                            model::kind::pool, model::kind::event}) {
        if (model::to_text(kind) != name) continue;
        // Under fork the program must have no other thread yet.
        std::optional<io::offload_pool> pool;
        if (kind == model::kind::event)
            pool.emplace(io::offload_pool::options{.workers = model::workers_of(0)});
        model::server_options o;
        // What the course left out: the asynchronous server on io_uring.
        if (argc > 3 && std::string_view{argv[3]} == "uring") o.engine = io::engine_kind::uring;
        if (argc > 3 && std::string_view{argv[3]} == "epoll") o.engine = io::engine_kind::epoll;
        const auto ended = model::serve(
            argc > 2 ? argv[2] : "2999", kind,
            [&pool](model::session& client) { return serve(client, pool ? &*pool : nullptr); },
            std::move(o));
        if (!ended) std::fprintf(stderr, "fib_server: %s\n", ended.error().message().c_str());
        return ended ? 0 : 1;
    }
    std::fprintf(stderr, "usage: fib_server sync|fork|thread|pool|event [PORT] [epoll|uring]\n");
    return 2;
}
