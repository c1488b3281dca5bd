// The real engines on the simulated kernel: an echo server with shards and a pool, and clients,
// under every fault.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/run.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/io/signals.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "sluice/net/listener.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t echo_port = 7000;
constexpr std::size_t clients = 3;
constexpr std::size_t bytes_each = 20'000;
// A session whose peer is silent for so long ends.
constexpr auto patience = 20s;

/// Bytes of one client, which tell where they stand.
std::string text_of_client(std::size_t client) {
    std::string made;
    for (std::size_t i = 0; made.size() < bytes_each; ++i) {
        made += std::to_string(client) + ":" + std::to_string(i) + ",";
    }
    made.resize(bytes_each);
    return made;
}

coro::task<> echo(io::engine& e, io::offload_pool& pool, unique_fd socket) {
    net::connection peer{e, std::move(socket)};
    for (;;) {
        auto got = co_await io::with_timeout(e, peer.recv(), patience);
        if (!got || got->empty()) break;
        // As if it were work: the copy is made by a thread of the pool.
        std::string copy;
        const auto bytes = got->bytes();
        auto made = co_await pool.run(e, [&] { copy = as_text(bytes); });
        if (!made) break;
        auto sent = co_await io::with_timeout(e, peer.send_all(copy), patience);
        if (!sent) break;
    }
    co_await peer.close();
}

coro::task<> serve(io::engine& e, io::offload_pool& pool) {
    auto socket =
        net::listen(net::address::loopback(echo_port), {.backlog = 8, .share_port = true});
    while (!socket) {
        auto slept = co_await io::sleep_for(e, 10ms);
        if (!slept) co_return;
        socket = net::listen(net::address::loopback(echo_port), {.backlog = 8, .share_port = true});
    }
    net::listener listener{e, std::move(*socket)};
    coro::scope sessions{co_await coro::this_context()};
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) break;
        auto spawned = sessions.spawn(echo(e, pool, std::move(*accepted)));
        EXPECT_TRUE(spawned);
    }
    co_await sessions.join();
    co_await listener.close();
}

/// Tries until there is a descriptor for it.
std::unique_ptr<io::engine> made_engine(io::engine_kind kind) {
    for (;;) {
        auto made = io::make_engine(kind);
        if (made) return std::move(*made);
        os::sleep_for(1ms);
    }
}

coro::task<> signal_comes(io::signals& signals) {
    auto number = co_await signals.next();
    EXPECT_EQ(number, SIGTERM);
}

/// Shards with the engine `kind` serve until SIGTERM.
void run_server(io::engine_kind kind, std::size_t shards) {
    const auto e = made_engine(io::engine_kind::epoll);
    auto signals = io::signals::watch(*e, {SIGTERM});
    ASSERT_TRUE(signals);
    io::offload_pool pool{{.workers = 2, .queue = 16}};
    std::vector<std::unique_ptr<io::shard>> all;
    while (all.size() < shards) {
        auto started = io::shard::start({.kind = kind, .engine = {}, .cpu = 1},
                                        [&](io::engine& own) { return serve(own, pool); });
        if (started) all.push_back(std::move(*started));
    }
    io::run(*e, signal_comes(*signals));
    for (const auto& each : all) each->stop();
    for (const auto& each : all) each->join();
}

/// Sends all of `text` and ends, while its sibling receives.
coro::task<> send_it(net::connection& peer, std::string_view text) {
    auto sent = co_await peer.send_all(text);
    if (sent) co_await peer.end_sending();
}

/// One attempt: what came back.
coro::task<result<std::string>> whole_exchange(io::engine& e, std::string_view text) {
    auto socket = co_await net::dial(e, net::address::loopback(echo_port));
    if (!socket) co_return failure(socket.error());
    net::connection peer{e, std::move(*socket)};
    std::string back;
    coro::scope sending{co_await coro::this_context()};
    auto spawned = sending.spawn(send_it(peer, text));
    EXPECT_TRUE(spawned);
    for (;;) {
        auto got = co_await io::with_timeout(e, peer.recv(), patience);
        if (!got || got->empty()) break;
        back += as_text(got->bytes());
    }
    sending.cancel();
    co_await sending.join();
    co_await peer.close();
    co_return back;
}

/// One attempt on an engine on which coroutines do not wait for each other: a piece is sent, and
/// read back, before the next one.
coro::task<result<std::string>> exchange_pieces(io::engine& e, std::string_view text) {
    constexpr std::size_t piece = 1500;
    auto socket = co_await net::dial(e, net::address::loopback(echo_port));
    if (!socket) co_return failure(socket.error());
    net::connection peer{e, std::move(*socket)};
    std::string back;
    bool ended = false;
    while (!ended && back.size() < text.size()) {
        const auto next = text.substr(back.size(), piece);
        auto sent = co_await io::with_timeout(e, peer.send_all(next), patience);
        if (!sent) break;
        const std::size_t until = back.size() + next.size();
        while (!ended && back.size() < until) {
            auto got = co_await io::with_timeout(e, peer.recv(), patience);
            ended = !got || got->empty();
            if (!ended) back += as_text(got->bytes());
        }
    }
    co_await peer.close();
    co_return back;
}

struct progress {
    std::size_t done = 0;      // clients
    std::size_t attempts = 0;  // of all of them
};

/// Tries until all has come back.
coro::task<> insist(io::engine& e, std::size_t number, progress& so_far) {
    const std::string text = text_of_client(number);
    for (;;) {
        ++so_far.attempts;
        auto back = e.blocks() ? exchange_pieces(e, text) : whole_exchange(e, text);
        auto outcome = co_await std::move(back);
        if (outcome) {
            EXPECT_TRUE(text.starts_with(*outcome)) << "bytes of another stream, or out of order";
            if (*outcome == text) break;
        }
        auto slept = co_await io::sleep_for(e, 50ms);
        EXPECT_TRUE(slept);
    }
    ++so_far.done;
}

coro::task<> all_insist(io::engine& e, progress& so_far) {
    coro::scope all{co_await coro::this_context()};
    for (std::size_t i = 0; i < clients; ++i) {
        auto spawned = all.spawn(insist(e, i, so_far));
        EXPECT_TRUE(spawned);
    }
    co_await all.join();
}

/// The clients on one engine, or each on a blocking engine of its own thread.
void run_clients(io::engine_kind kind, progress& so_far) {
    if (kind != io::engine_kind::blocking) {
        const auto e = made_engine(kind);
        io::run(*e, all_insist(*e, so_far));
        return;
    }
    std::vector<os::thread> threads(clients);
    for (std::size_t i = 0; i < clients; ++i) {
        const auto run = [kind, i, &so_far]() noexcept {
            const auto e = made_engine(kind);
            io::run(*e, insist(*e, i, so_far));
        };
        while (!threads[i].start(run)) os::sleep_for(1ms);
    }
    for (os::thread& t : threads) t.join();
}

struct outcome {
    std::uint64_t hash = 0;
    sim::virtual_time time = 0;
    std::size_t attempts = 0;
};

outcome play(const sim::world_options& o, io::engine_kind serving, std::size_t shards,
             io::engine_kind asking) {
    SCOPED_TRACE("seed " + std::to_string(o.seed));
    progress so_far;
    sim::world w{o};
    sim::process& server = w.start_process("server", [&] { run_server(serving, shards); });
    const sim::process& asker = w.start_process("clients", [&] {
        run_clients(asking, so_far);
        server.signal(SIGTERM);
    });
    // By then there is an end: nothing goes wrong any more.
    w.after(300 * sim::a_second, [&w] { w.heal(); });
    w.run();
    EXPECT_EQ(so_far.done, clients);
    EXPECT_EQ(server.open_descriptors(), 0);
    EXPECT_EQ(asker.open_descriptors(), 0);
    return {.hash = w.trace_hash(), .time = w.now(), .attempts = so_far.attempts};
}

/// The faults of `seed`, on a kernel that has io_uring.
sim::world_options with_rings(std::uint64_t seed) {
    sim::random rates{~seed};
    sim::fault_rates faults = sim::fault_rates::draw(rates);
    faults.ring_refused = 0;
    return {.seed = seed, .faults = faults};
}

constexpr std::uint64_t seeds = 100;

TEST(simulated_engines, echo_on_epoll_when_nothing_goes_wrong) {
    play(quiet(1), io::engine_kind::epoll, 1, io::engine_kind::epoll);
}

TEST(simulated_engines, echo_on_blocking_when_nothing_goes_wrong) {
    play(quiet(1), io::engine_kind::blocking, 1, io::engine_kind::blocking);
}

TEST(simulated_engines, echo_on_epoll_under_every_fault) {
    std::size_t attempts = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        attempts +=
            play({.seed = seed}, io::engine_kind::epoll, 1 + seed % 3, io::engine_kind::epoll)
                .attempts;
        ASSERT_FALSE(HasFailure());
    }
    // Some of them met a stream that broke.
    EXPECT_GT(attempts, clients * seeds * 6 / 5);
}

TEST(simulated_engines, echo_on_blocking_under_every_fault) {
    std::size_t attempts = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        attempts +=
            play({.seed = seed}, io::engine_kind::epoll, 1 + seed % 3, io::engine_kind::blocking)
                .attempts;
        ASSERT_FALSE(HasFailure());
    }
    // Some of them met a stream that broke.
    EXPECT_GT(attempts, clients * seeds * 6 / 5);
}

TEST(simulated_engines, echo_on_uring_when_nothing_goes_wrong) {
    play(quiet(1), io::engine_kind::uring, 1, io::engine_kind::uring);
}

TEST(simulated_engines, echo_on_uring_under_every_fault) {
    std::size_t attempts = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        attempts += play(with_rings(seed), io::engine_kind::uring, 1 + seed % 3,
                         seed % 2 == 0 ? io::engine_kind::uring : io::engine_kind::epoll)
                        .attempts;
        ASSERT_FALSE(HasFailure());
    }
    // Some of them met a stream that broke.
    EXPECT_GT(attempts, clients * seeds * 6 / 5);
}

// A queue that is full while its entries are refused has no place for the watch on the wakeup.
TEST(simulated_engines, hear_every_wakeup_although_a_ring_is_full) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        sim::fault_rates faults;
        faults.ring_small = 1;
        faults.ring_busy = faults.ring_ended = 0.5;
        in_world({.seed = seed, .faults = faults}, [](sim::world&) {
            io::offload_pool pool{{.workers = 1}};
            auto started =
                io::shard::start({.kind = io::engine_kind::uring, .engine = {}, .cpu = 1},
                                 [&](io::engine& own) { return serve(own, pool); });
            ASSERT_TRUE(started);
            os::sleep_for(1ms);
            (*started)->stop();
            (*started)->join();
        });
        ASSERT_FALSE(HasFailure());
    }
}

TEST(simulated_engines, do_the_same_for_the_same_seed) {
    for (const auto kind : {io::engine_kind::epoll, io::engine_kind::uring}) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            const outcome first = play(with_rings(seed), kind, 2, kind);
            const outcome second = play(with_rings(seed), kind, 2, kind);
            EXPECT_EQ(first.hash, second.hash);
            EXPECT_EQ(first.time, second.time);
        }
    }
}

}  // namespace
}  // namespace sluice::test
