// Cancellation: three workers race, the first to finish cancels the others, and all are joined.
#include <chrono>
#include <cstdio>

#include "sluice/io.hpp"

using namespace sluice;
using namespace std::chrono_literals;

namespace {

coro::task<> compete(io::engine& engine, coro::scope& race, int number, io::duration time) {
    const auto slept = co_await io::sleep_for(engine, time);
    if (!slept) {
        // A cancelled coroutine is resumed once, to put its things in order.
        std::printf("worker %d: %s\n", number, slept.error().message().c_str());
        co_return;
    }
    std::printf("worker %d finishes first\n", number);
    race.cancel();
}

coro::task<> hold_race(io::engine& engine) {
    coro::scope race{co_await coro::this_context()};
    static_cast<void>(race.spawn(compete(engine, race, 1, 300ms)));
    static_cast<void>(race.spawn(compete(engine, race, 2, 20ms)));
    static_cast<void>(race.spawn(compete(engine, race, 3, 1h)));
    // A scope does not end before its children: no coroutine is left behind.
    co_await race.join();
    std::printf("all are joined\n");
}

}  // namespace

int main() {
    auto engine = io::make_engine(io::automatic_engine().kind);
    if (!engine) return 1;
    coro::context root{(*engine)->ready()};
    io::run(**engine, hold_race(**engine), root);
}
