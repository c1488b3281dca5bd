// Buffers that a ring has filled, while the engine gives the memory of idle ones back.
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t pool_port = 7200;
constexpr std::size_t readers = 3;
// What fills a buffer: then each is asked for alone, and comes in the call that submits it.
constexpr std::string_view message = "12345678";

struct pairs {
    std::vector<std::unique_ptr<net::connection>> ours;
    std::vector<unique_fd> theirs;
};

pairs connect_readers(io::engine& e) {
    pairs made;
    const unique_fd listener{os::sys().socket(AF_INET, SOCK_STREAM, 0)};
    const sockaddr_in where = loopback(pool_port);
    EXPECT_EQ(os::sys().bind(listener.get(), as_sockaddr(where), sizeof where), 0);
    EXPECT_EQ(os::sys().listen(listener.get(), 4), 0);
    while (made.ours.size() < readers) {
        made.theirs.emplace_back(os::sys().socket(AF_INET, SOCK_STREAM, 0));
        EXPECT_EQ(os::sys().connect(made.theirs.back().get(), as_sockaddr(where), sizeof where), 0);
        made.ours.push_back(std::make_unique<net::connection>(
            e, unique_fd{os::sys().accept4(listener.get(), nullptr, nullptr, 0)}));
    }
    return made;
}

coro::task<> read_one(net::connection& from, int& right) {
    auto got = co_await from.recv();
    if (got && got->text() == message) ++right;
}

/// Has far more buffers in use for once than later.
coro::task<> use_many(io::engine& e, pairs& all) {
    constexpr int many = 20;
    std::vector<io::lease> held;
    for (int i = 0; i < many; ++i) write_text(all.theirs.front().get(), message);
    auto slept = co_await io::sleep_for(e, 1ms);
    EXPECT_TRUE(slept);
    for (int i = 0; i < many; ++i) {
        auto got = co_await all.ours.front()->recv();
        EXPECT_TRUE(got);
        if (got) held.push_back(std::move(*got));
    }
}

coro::task<> read_by_all(io::engine& e, pairs& all) {
    for (const unique_fd& peer : all.theirs) write_text(peer.get(), message);
    auto slept = co_await io::sleep_for(e, 0ms);
    EXPECT_TRUE(slept);
    int right = 0;
    coro::scope reading{co_await coro::this_context()};
    for (const auto& each : all.ours) {
        auto begun = reading.spawn(read_one(*each, right));
        EXPECT_TRUE(begun);
    }
    co_await reading.join();
    EXPECT_EQ(right, readers);
}

/// Reads whenever the engine may give memory back: it looks each two seconds.
coro::task<> read_at_each_look(io::engine& e) {
    pairs all = connect_readers(e);
    const auto begin = e.now();
    co_await use_many(e, all);
    for (const auto look : {2s, 4s, 6s}) {
        auto slept = co_await io::sleep_for(e, begin + look - 1ms - e.now());
        EXPECT_TRUE(slept);
        while (e.now() < begin + look + 4ms) co_await read_by_all(e, all);
    }
    for (const auto& each : all.ours) co_await each->close();
}

// A full queue is submitted within a turn, and its completions wait for the next one.
TEST(simulated_ring_buffers, keep_what_was_received_until_it_is_processed) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        in_world(quiet(seed), [](sim::world&) {
            auto made =
                io::make_engine(io::engine_kind::uring,
                                {.buffers = {.count = 64, .size = message.size(), .at_first = 1},
                                 .ring_entries = 1});
            ASSERT_TRUE(made);
            io::run(**made, read_at_each_look(**made));
        });
        ASSERT_FALSE(HasFailure());
    }
}

}  // namespace
}  // namespace sluice::test
