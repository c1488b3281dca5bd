// Channels: in order, bounded, closed, cancelled, and fair to those who waited.
#include "sluice/coro/channel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/coro/loop.hpp"

namespace sluice::test {
namespace {

using strings = std::vector<std::string>;

std::string shown(const result<int>& got) {
    return got ? std::to_string(*got) : "(" + got.error().message() + ")";
}
std::string shown(const result<void>& done) {
    return done ? "(ok)" : "(" + done.error().message() + ")";
}

coro::task<> receive(coro::channel<int>& c, strings& log) {
    auto got = co_await c.receive();
    log.push_back("got " + shown(got));
}
coro::task<> send(coro::channel<int>& c, int value, strings& log) {
    auto sent = co_await c.send(value);
    log.push_back("sent " + std::to_string(value) + " " + shown(sent));
}

TEST(channel, keeps_the_order) {
    loop l;
    coro::channel<int> c{3};
    strings log;
    l.spawn([](coro::channel<int>& to) -> coro::task<> {
        for (int i = 0; i < 100; ++i) EXPECT_TRUE((co_await to.send(i)).has_value());
        to.close();
    }(c));
    std::vector<int> got;
    l.spawn([](coro::channel<int>& from, std::vector<int>& into) -> coro::task<> {
        for (;;) {
            auto next = co_await from.receive();
            if (!next) break;
            into.push_back(*next);
        }
    }(c, got));
    l.settle();
    EXPECT_EQ(got.size(), 100U);
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST(channel, a_full_one_makes_senders_wait_in_line) {
    loop l;
    coro::channel<int> c{1};
    strings log;
    for (int i = 0; i < 3; ++i) l.spawn(send(c, i, log));
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("sent 0 (ok)"));
    EXPECT_EQ(c.size(), 1U);
    for (int i = 0; i < 3; ++i) {
        l.spawn(receive(c, log));
        l.settle();
    }
    EXPECT_THAT(log, ::testing::ElementsAre("sent 0 (ok)", "got 0", "sent 1 (ok)", "got 1",
                                            "sent 2 (ok)", "got 2"));
    EXPECT_EQ(c.size(), 0U);
}

TEST(channel, an_empty_one_makes_receivers_wait_in_line) {
    loop l;
    coro::channel<int> c{2};
    std::vector<strings> logs(3);
    for (auto& log : logs) l.spawn(receive(c, log));
    l.settle();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(c.try_send(i));
    l.settle();
    EXPECT_THAT(logs[0], ::testing::ElementsAre("got 0"));
    EXPECT_THAT(logs[1], ::testing::ElementsAre("got 1"));
    EXPECT_THAT(logs[2], ::testing::ElementsAre("got 2"));
    EXPECT_EQ(c.size(), 0U);
}

TEST(channel, trying_never_waits) {
    loop l;
    coro::channel<int> c{2};
    EXPECT_EQ(c.capacity(), 2U);
    EXPECT_TRUE(c.try_send(1));
    EXPECT_TRUE(c.try_send(2));
    EXPECT_EQ(shown(c.try_send(3)), "(the queue is full)");
    c.close();
    EXPECT_EQ(shown(c.try_send(4)), "(closed)");
    strings log;
    for (int i = 0; i < 3; ++i) l.spawn(receive(c, log));
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got 1", "got 2", "got (closed)"));
}

TEST(channel, closing_wakes_all_waiters) {
    loop l;
    coro::channel<int> empty{1};
    coro::channel<int> full{1};
    strings log;
    EXPECT_TRUE(full.try_send(0));
    for (int i = 0; i < 2; ++i) l.spawn(receive(empty, log));
    for (int i = 1; i < 3; ++i) l.spawn(send(full, i, log));
    l.settle();
    empty.close();
    full.close();
    full.close();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got (closed)", "got (closed)", "sent 1 (closed)",
                                            "sent 2 (closed)"));
    // What is inside can still be taken.
    l.spawn(receive(full, log));
    l.spawn(receive(full, log));
    l.spawn(send(full, 3, log));
    l.settle();
    EXPECT_THAT(strings(log.end() - 3, log.end()),
                ::testing::ElementsAre("got 0", "got (closed)", "sent 3 (closed)"));
}

TEST(channel, a_cancel_takes_one_out_of_the_line) {
    loop l;
    coro::channel<int> c{1};
    strings log;
    coro::scope first{l.root};
    first.spawn(receive(c, log));
    l.spawn(receive(c, log));
    first.cancel();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got (cancelled)"));
    EXPECT_TRUE(c.try_send(7));
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got (cancelled)", "got 7"));
    // Senders alike: the value of the one that gave up never comes.
    EXPECT_TRUE(c.try_send(0));
    coro::scope second{l.root};
    second.spawn(send(c, 1, log));
    l.spawn(send(c, 2, log));
    second.cancel();
    l.settle();
    l.spawn(receive(c, log));
    l.spawn(receive(c, log));
    l.settle();
    EXPECT_THAT(strings(log.begin() + 2, log.end()),
                ::testing::ElementsAre("sent 1 (cancelled)", "got 0", "got 2", "sent 2 (ok)"));
}

TEST(channel, does_not_begin_in_a_cancelled_context) {
    loop l;
    coro::channel<int> c{1};
    strings log;
    coro::scope s{l.root};
    s.cancel();
    s.spawn(receive(c, log));
    // There is space, so nothing needs to be waited for.
    s.spawn(send(c, 1, log));
    s.spawn(send(c, 2, log));
    s.spawn(receive(c, log));
    EXPECT_THAT(log, ::testing::ElementsAre("got (cancelled)", "sent 1 (ok)", "sent 2 (cancelled)",
                                            "got 1"));
}

TEST(channel, what_was_handed_over_beats_a_cancel) {
    loop l;
    coro::channel<int> c{1};
    strings log;
    coro::scope s{l.root};
    s.spawn(receive(c, log));
    EXPECT_TRUE(c.try_send(5));
    // Handed over, not yet resumed.
    s.cancel();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got 5"));
}

TEST(channel, a_third_party_cannot_take_what_was_handed_over) {
    loop l;
    coro::channel<int> c{1};
    strings waited;
    strings third;
    l.spawn(receive(c, waited));
    EXPECT_TRUE(c.try_send(1));
    // Comes between the wake-up of the one who waited and its resumption.
    l.spawn(receive(c, third));
    EXPECT_THAT(third, ::testing::IsEmpty());
    EXPECT_TRUE(c.try_send(2));
    l.settle();
    EXPECT_THAT(waited, ::testing::ElementsAre("got 1"));
    EXPECT_THAT(third, ::testing::ElementsAre("got 2"));
}

TEST(channel, a_third_party_cannot_take_the_space_of_a_waiter) {
    loop l;
    coro::channel<int> c{1};
    strings log;
    EXPECT_TRUE(c.try_send(0));
    l.spawn(send(c, 1, log));
    l.spawn(receive(c, log));
    // The space belongs to the waiter, though it has not been resumed.
    EXPECT_EQ(shown(c.try_send(2)), "(the queue is full)");
    l.settle();
    l.spawn(receive(c, log));
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got 0", "sent 1 (ok)", "got 1"));
}

TEST(channel, carries_what_can_only_be_moved) {
    loop l;
    coro::channel<std::unique_ptr<int>> c{1};
    int got = 0;
    l.spawn([](coro::channel<std::unique_ptr<int>>& to) -> coro::task<> {
        for (int i = 1; i <= 3; ++i) {
            auto sent = co_await to.send(std::make_unique<int>(i));
            EXPECT_TRUE(sent);
        }
    }(c));
    l.spawn([](coro::channel<std::unique_ptr<int>>& from, int& sum) -> coro::task<> {
        for (int i = 0; i < 3; ++i) {
            auto next = co_await from.receive();
            if (next) sum += **next;
        }
    }(c, got));
    l.settle();
    EXPECT_EQ(got, 6);
}

TEST(channel, frees_what_was_not_taken) {
    auto shared = std::make_shared<int>(1);
    {
        coro::channel<std::shared_ptr<int>> c{2};
        EXPECT_TRUE(c.try_send(shared));
        EXPECT_TRUE(c.try_send(shared));
        EXPECT_FALSE(c.try_send(shared));
        EXPECT_EQ(shared.use_count(), 3);
    }
    EXPECT_EQ(shared.use_count(), 1);
}

using channel_death_test = ::testing::Test;

TEST(channel_death_test, needs_capacity) {
    EXPECT_DEATH(coro::channel<int>{0}, "a channel needs room for one value");
}

TEST(channel, its_end_closes_it) {
    loop l;
    strings log;
    {
        coro::channel<int> empty{1};
        l.spawn(receive(empty, log));
        l.settle();
    }
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("got (closed)"));
}

TEST(channel, a_waiter_leaves_it_with_its_frame) {
    loop l;
    coro::channel<int> c{1};
    strings log;
    for (const bool is_ready : {false, true}) {
        auto waiting = receive(c, log);
        waiting.set_context(l.root);
        auto handle = waiting.release();
        handle.resume();
        if (is_ready) {
            EXPECT_TRUE(c.try_send(1));
        }
        handle.destroy();
    }
    l.settle();
    l.root.cancel();
    EXPECT_EQ(c.size(), 0U);
    EXPECT_TRUE(c.try_send(2));
    EXPECT_EQ(c.size(), 1U);
    EXPECT_THAT(log, ::testing::IsEmpty());
}

}  // namespace
}  // namespace sluice::test
