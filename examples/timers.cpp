// Timers and deadlines: three tickers side by side, and a wait that a deadline ends.
#include <chrono>
#include <cstdio>

#include "sluice/io.hpp"

using namespace sluice;
using namespace std::chrono_literals;

namespace {

coro::task<> tick(io::engine& engine, const char* name, io::duration pause, int times) {
    for (int i = 1; i <= times; ++i) {
        auto slept = co_await io::sleep_for(engine, pause);
        if (!slept) co_return;  // what this runs in was cancelled
        std::printf("%s %d\n", name, i);
    }
}

coro::task<result<int>> take_long(io::engine& engine) {
    auto slept = co_await io::sleep_for(engine, 1h);
    if (!slept) co_return failure(slept.error());
    co_return 42;
}

coro::task<> run_all(io::engine& engine) {
    coro::scope tickers{co_await coro::this_context()};
    // One cannot start only where there is no memory for its frame.
    static_cast<void>(tickers.spawn(tick(engine, "fast", 20ms, 5)));
    static_cast<void>(tickers.spawn(tick(engine, "slow", 50ms, 2)));
    // The deadline cancels whatever the task waits for, however deep it is.
    const auto answer = co_await io::with_timeout(engine, take_long(engine), 30ms);
    std::printf("the answer: %s\n", answer ? "42" : answer.error().message().c_str());
    co_await tickers.join();
}

}  // namespace

int main() {
    auto engine = io::make_engine(io::automatic_engine().kind);
    if (!engine) return 1;
    coro::context root{(*engine)->ready()};
    io::run(**engine, run_all(**engine), root);
}
