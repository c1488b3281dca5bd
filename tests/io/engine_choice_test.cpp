// Which engine is taken where no option chose one, and what the engines say of themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "sluice/io/engine.hpp"
#include "sluice/io/engines/uring_probe.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/ops/recv.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

TEST(automatic_engine, is_io_uring_where_it_works_and_epoll_with_a_reason_elsewhere) {
    const auto support = io::probe_uring();
    const auto& choice = io::automatic_engine();
    if (support.usable) {
        EXPECT_EQ(choice.kind, io::engine_kind::uring);
        EXPECT_THAT(choice.reason, ::testing::IsEmpty());
    } else {
        EXPECT_EQ(choice.kind, io::engine_kind::epoll);
        EXPECT_THAT(choice.reason, ::testing::Not(::testing::IsEmpty()));
    }
    EXPECT_TRUE(io::make_engine(choice.kind));
    EXPECT_EQ(&io::automatic_engine(), &choice);
}

TEST(automatic_engine, io_uring_fails_with_the_errno_of_the_kernel_where_it_is_refused) {
    const auto support = io::probe_uring();
    if (support.usable) GTEST_SKIP() << "io_uring is not refused here";
    const auto refused = io::make_engine(io::engine_kind::uring);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().whose(), error::category::system);
    if (support.refusal) {
        EXPECT_EQ(refused.error(), *support.refusal);
    }
}

TEST(engine_kind, has_a_name) {
    EXPECT_EQ(io::to_text(io::engine_kind::blocking), "blocking");
    EXPECT_EQ(io::to_text(io::engine_kind::epoll), "epoll");
    EXPECT_EQ(io::to_text(io::engine_kind::uring), "uring");
}

// An idle connection costs one of these in its coroutine's frame, and a slot in each engine.
static_assert(sizeof(io::op) <= 96);
static_assert(sizeof(net::connection) <= 120);

class engine_itself : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, engine_itself, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(engine_itself, says_what_it_is) {
    EXPECT_EQ(engine().which(), kind());
    EXPECT_EQ(engine().blocks(), kind() == io::engine_kind::blocking);
    EXPECT_EQ(engine().in_flight(), 0U);
    EXPECT_EQ(engine().counters().turns, 0U);
}

TEST_P(engine_itself, random_numbers_differ_between_engines) {
    auto other = io::make_engine(kind(), flavoured());
    ASSERT_TRUE(other);
    EXPECT_NE(engine().random(), (*other)->random());
    EXPECT_NE(engine().random(), engine().random());
}

TEST_P(engine_itself, refuses_a_number_beyond_its_table) {
    auto refused = engine().attach(1 << 30);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(EMFILE));
    EXPECT_TRUE(engine().attach(-1).error().is(EMFILE));
}

TEST_P(engine_itself, comes_and_goes_without_a_trace) {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(io::make_engine(kind(), flavoured()));
}

TEST_P(engine_itself, keeps_what_it_counts_about_operations) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        const auto before = engine().counters();
        auto sent = co_await c.send_all("x");
        EXPECT_TRUE(sent);
        EXPECT_EQ(engine().counters().operations, before.operations + 1);
        co_await c.close();
    });
    EXPECT_EQ(read_to_end(theirs.get()), "x");
}

}  // namespace
}  // namespace sluice::test
