// Closing first: nothing that was sent is lost, and no peer keeps the connection for ever.
#include "sluice/net/lingering_close.hpp"

#include <sys/socket.h>

#include <chrono>
#include <string>
#include <thread>

#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class lingering_close_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, lingering_close_contract, ::testing::ValuesIn(every_engine()),
                         engine_name);

constexpr net::linger_limits long_wait{.idle = 30s, .longest = 30s};

TEST_P(lingering_close_contract, loses_nothing_to_a_peer_that_has_sent_more) {
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    // More than the peer's receive buffer takes: the rest is still here when the close begins.
    const auto sent = fill(ours.fd());
    write_all(pair.theirs.get(), "a request after the last one");
    std::string got;
    std::thread reader{[&] {
        got = read_to_end(pair.theirs.get());
        pair.theirs.reset();
    }};
    run([&]() -> coro::task<> {
        co_await net::lingering_close(ours, co_await coro::this_context(), long_wait);
    });
    reader.join();
    EXPECT_EQ(got.size(), sent);
    EXPECT_EQ(ours.fd(), -1);
}

TEST_P(lingering_close_contract, ends_when_the_peer_is_idle) {
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    run([&]() -> coro::task<> {
        co_await net::lingering_close(ours, co_await coro::this_context(), {.idle = 20ms});
    });
    EXPECT_EQ(ours.fd(), -1);
    EXPECT_EQ(read_to_end(pair.theirs.get()), "");
}

TEST_P(lingering_close_contract, ends_when_the_peer_has_sent_enough) {
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    write_all(pair.theirs.get(), std::string(10'000, 'x'));
    run([&]() -> coro::task<> {
        co_await net::lingering_close(ours, co_await coro::this_context(),
                                      {.idle = 30s, .longest = 30s, .bytes = 10'000});
    });
    EXPECT_EQ(ours.fd(), -1);
}

TEST_P(lingering_close_contract, without_a_timeout_waits_for_no_more_than_the_acknowledgements) {
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    const auto sent = fill(ours.fd());
    std::string got;
    std::thread reader{[&] { got = read_exactly(pair.theirs.get(), sent); }};
    run([&]() -> coro::task<> {
        coro::context drain{co_await coro::this_context()};
        drain.cancel();
        co_await net::lingering_close(ours, drain, long_wait);
    });
    reader.join();
    // The peer has not ended its side, and is not waited for.
    EXPECT_EQ(got.size(), sent);
}

TEST_P(lingering_close_contract, a_reset_ends_it) {
    auto pair = tcp_pair();
    net::connection ours{engine(), std::move(pair.ours)};
    reset_at_close(pair.theirs.get());
    pair.theirs.reset();
    run([&]() -> coro::task<> {
        co_await net::lingering_close(ours, co_await coro::this_context(), long_wait);
    });
    EXPECT_EQ(ours.fd(), -1);
}

}  // namespace
}  // namespace sluice::test
