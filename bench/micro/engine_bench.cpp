// What the parts of an engine cost, in time and in allocations.
#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "sluice/coro/channel.hpp"
#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/remote.hpp"
#include "sluice/io/run.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/net/connection.hpp"
#include "tests/memory/allocations.hpp"

namespace sluice {
namespace {

using namespace std::chrono_literals;

/// Runs `body` for as long as the benchmark wants, and reports allocations an iteration.
template <class Body>
coro::task<> loop(benchmark::State& state, Body body) {
    // Once before the clock starts: frames and buffers are there from then on.
    co_await body();
    const std::size_t before = test::allocations();
    for (auto _ : state) co_await body();
    state.counters["allocations"] = benchmark::Counter(
        static_cast<double>(test::allocations() - before), benchmark::Counter::kAvgIterations);
}

std::unique_ptr<io::engine> engine_of(benchmark::State& state) {
    const auto kind = static_cast<io::engine_kind>(state.range(0));
    auto made = io::make_engine(kind);
    if (!made) {
        state.SkipWithError("this engine does not work here");
        return nullptr;
    }
    state.SetLabel(std::string{io::to_text(kind)});
    return std::move(*made);
}

coro::task<> nothing() {
    co_return;
}

// A message to and fro between two connections of one engine.
void ping_pong(benchmark::State& state) {
    auto engine = engine_of(state);
    if (!engine) return;
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
    auto both = [&]() -> coro::task<> {
        net::connection a{*engine, unique_fd{ends[0]}};
        net::connection b{*engine, unique_fd{ends[1]}};
        co_await loop(state, [&]() -> coro::task<> {
            constexpr std::string_view message = "0123456789abcdef";
            benchmark::DoNotOptimize(co_await a.send_all(message));
            auto there = co_await b.recv();
            benchmark::DoNotOptimize(co_await b.send_all(there->bytes()));
            benchmark::DoNotOptimize(co_await a.recv());
        });
        co_await a.close();
        co_await b.close();
    };
    io::run(*engine, both());
}
BENCHMARK(ping_pong)
    ->Arg(static_cast<int>(io::engine_kind::blocking))
    ->Arg(static_cast<int>(io::engine_kind::epoll))
    ->Arg(static_cast<int>(io::engine_kind::uring));

void task_call(benchmark::State& state) {
    auto engine = engine_of(state);
    if (!engine) return;
    io::run(*engine, loop(state, [] { return nothing(); }));
}
BENCHMARK(task_call)->Arg(static_cast<int>(io::engine_kind::epoll));

void scope_spawn(benchmark::State& state) {
    auto engine = engine_of(state);
    if (!engine) return;
    io::run(*engine, loop(state, []() -> coro::task<> {
        coro::scope children{co_await coro::this_context()};
        static_cast<void>(children.spawn(nothing()));
        co_await children.join();
    }));
}
BENCHMARK(scope_spawn)->Arg(static_cast<int>(io::engine_kind::epoll));

// Among a thousand others, as in a server with a thousand idle deadlines.
void timer_arm_and_disarm(benchmark::State& state) {
    io::timer_heap heap;
    const auto now = io::clock::now();
    auto ignore = [](io::timer&) noexcept {};
    std::array<std::unique_ptr<io::timer>, 1000> others;
    for (std::size_t i = 0; i < others.size(); ++i) {
        others[i] = std::make_unique<io::timer>(ignore);
        heap.arm(*others[i], now + std::chrono::milliseconds{i * 7919 % 1000});
    }
    io::timer mine{ignore};
    for (auto _ : state) {
        heap.arm(mine, now + 500ms);
        heap.disarm(mine);
    }
    for (auto& t : others) heap.disarm(*t);
}
BENCHMARK(timer_arm_and_disarm);

void channel_pass(benchmark::State& state) {
    auto engine = engine_of(state);
    if (!engine) return;
    coro::channel<int> pipe{16};
    io::run(*engine, loop(state, [&]() -> coro::task<> {
        benchmark::DoNotOptimize(co_await pipe.send(1));
        benchmark::DoNotOptimize(co_await pipe.receive());
    }));
}
BENCHMARK(channel_pass)->Arg(static_cast<int>(io::engine_kind::epoll));

// To another thread and back.
void remote_call(benchmark::State& state) {
    auto engine = engine_of(state);
    if (!engine) return;
    auto there = io::shard::start({.kind = engine->which(), .engine = {}, .cpu = {}},
                                  [](io::engine& e) -> coro::task<> {
                                      static_cast<void>(co_await io::sleep_until{e, io::never});
                                  });
    if (!there) return state.SkipWithError("no thread for the other shard");
    io::run(*engine, loop(state, [&]() -> coro::task<> {
        benchmark::DoNotOptimize(
            co_await io::call_on(*engine, (*there)->engine(), [] { return 1; }));
    }));
}
BENCHMARK(remote_call)
    ->Arg(static_cast<int>(io::engine_kind::epoll))
    ->Arg(static_cast<int>(io::engine_kind::uring));

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
