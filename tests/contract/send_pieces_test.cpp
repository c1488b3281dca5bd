// Sending what a source has: in order, when it comes, to readers that are slow or gone.
#include "sluice/io/ops/send_pieces.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class send_pieces_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, send_pieces_contract, ::testing::ValuesIn(every_engine()),
                         engine_name);

/// Texts that are sent one after another, and what became of them.
class texts final : public io::send_pieces<texts> {
 public:
    texts(net::connection& to, std::deque<std::string> first)
        : send_pieces{to.engine(), to.fd(), to.layer()}, waiting{std::move(first)} {}

    [[nodiscard]] const_bytes next_piece() noexcept {
        return waiting.empty() ? const_bytes{} : as_bytes(waiting.front());
    }
    void on_sent(std::size_t n, bool whole) noexcept {
        EXPECT_EQ(whole, n == waiting.front().size());
        whole ? waiting.pop_front() : void(waiting.front().erase(0, n));
        ++sends;
    }
    void on_send_error() noexcept {
        ++errors;
        waiting.clear();
    }

    std::deque<std::string> waiting;
    int sends = 0;
    int errors = 0;
};

TEST_P(send_pieces_contract, sends_them_in_order_and_is_over_when_there_is_no_more) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        texts source{c, {"one ", "two ", "three"}};
        auto sent = co_await source.rest_sent();
        EXPECT_EQ(shown(sent), "(ok)");
        EXPECT_EQ(source.sends, 3);
        EXPECT_EQ(read_exactly(theirs.get(), 13), "one two three");
        auto nothing = co_await source.rest_sent();
        EXPECT_EQ(shown(nothing), "(ok)");
        EXPECT_EQ(source.sends, 3);
        co_await c.close();
    });
}

TEST_P(send_pieces_contract, begins_again_without_a_coroutine_that_waits) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        texts source{c, {"one "}};
        source.send_pending();
        auto first = co_await source.rest_sent();
        EXPECT_EQ(shown(first), "(ok)");
        source.send_pending();
        source.waiting.emplace_back("two");
        source.send_pending();
        auto second = co_await source.rest_sent();
        EXPECT_EQ(shown(second), "(ok)");
        EXPECT_EQ(read_exactly(theirs.get(), 7), "one two");
        source.shut();
        source.waiting.emplace_back("never");
        source.send_pending();
        EXPECT_FALSE(source.in_flight());
        EXPECT_EQ(source.sends, 2);
        co_await c.close();
    });
}

TEST_P(send_pieces_contract, asks_for_the_rest_of_a_piece_that_was_sent_in_part) {
    auto [ours, theirs] = local_pair();
    shrink_buffers(ours.get());
    const std::string text = pattern(100'000);
    std::string got;
    std::vector<steps::step> reads(200, [&] { got += read_what_is_there(theirs.get()); });
    const steps later{engine(), std::move(reads)};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        texts source{c, {text, "end"}};
        auto sent = co_await source.rest_sent();
        EXPECT_EQ(shown(sent), "(ok)");
        EXPECT_GT(source.sends, 2);
        co_await c.close();
    });
    got += read_to_end(theirs.get());
    EXPECT_TRUE(got == text + "end") << got.size();
}

TEST_P(send_pieces_contract, sends_what_the_source_has_when_there_is_room_again) {
    auto [ours, theirs] = local_pair();
    fill(ours.get());
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        texts source{c, {"old"}};
        const steps later{engine(),
                          {[&] { source.waiting.front() = "new"; },
                           [&] { static_cast<void>(read_what_is_there(theirs.get())); }}};
        auto sent = co_await source.rest_sent();
        EXPECT_EQ(shown(sent), "(ok)");
        EXPECT_EQ(read_exactly(theirs.get(), 3), "new");
        co_await c.close();
    });
}

TEST_P(send_pieces_contract, tells_the_source_once_that_the_peer_is_gone) {
    auto [ours, theirs] = local_pair();
    theirs.reset();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        texts source{c, {"hello"}};
        auto sent = co_await source.rest_sent();
        EXPECT_EQ(shown(sent), "(broken pipe)");
        EXPECT_EQ(source.errors, 1);
        co_await c.close();
    });
}

TEST_P(send_pieces_contract, a_deadline_ends_the_wait_and_is_no_error_of_the_connection) {
    auto [ours, theirs] = local_pair();
    fill(ours.get());
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        texts source{c, {"late"}};
        auto sent = co_await io::with_timeout(engine(), source.rest_sent(), 5ms);
        EXPECT_EQ(shown(sent), "(the deadline passed)");
        EXPECT_EQ(source.errors, 0);
        EXPECT_EQ(source.waiting.size(), 1U);
        co_await c.close();
    });
}

}  // namespace
}  // namespace sluice::test
