// Work off the loop: two threads compute while the engine's own thread goes on ticking.
#include <chrono>
#include <cstdio>

#include "sluice/io.hpp"

using namespace sluice;
using namespace std::chrono_literals;

namespace {

std::uint64_t fib(unsigned n) {
    return n < 2 ? 1 : fib(n - 1) + fib(n - 2);
}

coro::task<> compute(io::engine& engine, io::offload_pool& pool, unsigned n) {
    // The function runs on a thread of the pool; the coroutine goes on where it was.
    const auto answer = co_await pool.run(engine, [n] { return fib(n); });
    // Refused when too many wait already: the queue has a limit.
    if (!answer) {
        std::printf("fib(%u): %s\n", n, answer.error().message().c_str());
        co_return;
    }
    std::printf("fib(%u) = %llu\n", n, static_cast<unsigned long long>(*answer));
}

coro::task<> tick(io::engine& engine, int& ticks) {
    for (;; ++ticks) {
        auto slept = co_await io::sleep_for(engine, 1ms);
        if (!slept) co_return;
    }
}

coro::task<> run_all(io::engine& engine) {
    io::offload_pool pool{{.workers = 2, .queue = 16}};
    int ticks = 0;
    coro::scope ticking{co_await coro::this_context()};
    static_cast<void>(ticking.spawn(tick(engine, ticks)));
    coro::scope computing{co_await coro::this_context()};
    for (unsigned n = 25; n <= 30; ++n) {
        static_cast<void>(computing.spawn(compute(engine, pool, n)));
    }
    co_await computing.join();
    ticking.cancel();
    co_await ticking.join();
    std::printf("the loop ticked %s\n", ticks > 0 ? "meanwhile" : "never");
}

}  // namespace

int main() {
    auto engine = io::make_engine(io::automatic_engine().kind);
    if (!engine) return 1;
    coro::context root{(*engine)->ready()};
    io::run(**engine, run_all(**engine), root);
}
