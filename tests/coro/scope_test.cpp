// Scopes and contexts: children are joined, cancels go down the tree and nowhere else.
#include "sluice/coro/scope.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "sluice/coro/channel.hpp"
#include "tests/coro/loop.hpp"

namespace sluice::test {
namespace {

using strings = std::vector<std::string>;

coro::task<> wait_then_log(gate& g, strings& log, std::string what) {
    co_await g.wait();
    log.push_back(std::move(what));
}

/// Waits for ever, until it is cancelled.
coro::task<> wait_for_cancel(strings& log, std::string what) {
    coro::channel<int> nothing{1};
    auto got = co_await nothing.receive();
    EXPECT_FALSE(got);
    log.push_back(what + ": " + got.error().message());
}

TEST(scope, starts_children_at_once) {
    loop l;
    strings log;
    gate open;
    open.open();
    coro::scope s{l.root};
    EXPECT_TRUE(s.spawn(wait_then_log(open, log, "child")));
    EXPECT_THAT(log, ::testing::ElementsAre("child"));
    EXPECT_EQ(s.size(), 0U);
}

TEST(scope, join_waits_for_every_child) {
    loop l;
    strings log;
    gate first;
    gate second;
    l.spawn([](gate& a, gate& b, strings& to) -> coro::task<> {
        coro::scope s{co_await coro::this_context()};
        s.spawn(wait_then_log(a, to, "a"));
        s.spawn(wait_then_log(b, to, "b"));
        EXPECT_EQ(s.size(), 2U);
        co_await s.join();
        EXPECT_EQ(s.size(), 0U);
        to.emplace_back("joined");
        // Again, with nothing to wait for, and with something.
        co_await s.join();
        s.spawn(wait_then_log(b, to, "c"));
        co_await s.join();
    }(first, second, log));
    l.settle();
    second.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("b"));
    first.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("b", "a", "joined", "c"));
}

TEST(scope, a_child_may_spawn_another) {
    loop l;
    strings log;
    gate g;
    l.spawn([](gate& wait_for, strings& to) -> coro::task<> {
        coro::scope s{co_await coro::this_context()};
        s.spawn([](coro::scope& where, gate& w, strings& t) -> coro::task<> {
            co_await w.wait();
            where.spawn(wait_then_log(w, t, "grandchild"));
            t.emplace_back("child");
        }(s, wait_for, to));
        co_await s.join();
        to.emplace_back("joined");
    }(g, log));
    g.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("grandchild", "child", "joined"));
}

TEST(scope, cancels_its_children_and_no_others) {
    loop l;
    strings log;
    coro::scope one{l.root};
    coro::scope other{l.root};
    one.spawn(wait_for_cancel(log, "one"));
    other.spawn(wait_for_cancel(log, "other"));
    one.cancel();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("one: cancelled"));
    // Those that come later, too.
    one.spawn(wait_for_cancel(log, "late"));
    EXPECT_THAT(log, ::testing::ElementsAre("one: cancelled", "late: cancelled"));
    EXPECT_FALSE(l.root.cancelled());
    other.cancel();
    other.cancel();
    l.settle();
    EXPECT_EQ(log.size(), 3U);
}

TEST(scope, is_cancelled_with_what_it_stands_in) {
    loop l;
    strings log;
    coro::scope outer{l.root};
    coro::scope inner{outer.inner()};
    inner.spawn(wait_for_cancel(log, "inner"));
    outer.cancel();
    EXPECT_TRUE(inner.inner().cancelled());
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("inner: cancelled"));
    const coro::context born_late{outer.inner()};
    EXPECT_TRUE(born_late.cancelled());
}

TEST(scope, a_joiner_that_is_cancelled_still_waits_for_the_children) {
    loop l;
    strings log;
    gate g;
    coro::scope outer{l.root};
    outer.spawn([](gate& wait_for, strings& to) -> coro::task<> {
        coro::scope s{co_await coro::this_context()};
        s.spawn(wait_then_log(wait_for, to, "stubborn"));
        co_await s.join();
        to.emplace_back("joined");
    }(g, log));
    outer.cancel();
    l.settle();
    EXPECT_THAT(log, ::testing::IsEmpty());
    g.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("stubborn", "joined"));
}

TEST(scope, ten_thousand_children) {
    loop l;
    strings log;
    gate g;
    coro::scope s{l.root};
    for (int i = 0; i < 10'000; ++i) s.spawn(wait_then_log(g, log, ""));
    EXPECT_EQ(s.size(), 10'000U);
    g.open();
    l.settle();
    EXPECT_EQ(s.size(), 0U);
    EXPECT_EQ(log.size(), 10'000U);
}

TEST(scope, who_comes_after_the_last_child_and_before_the_joiner_is_waited_for_too) {
    // The joiner has been woken; before it runs, a coroutine outside adds a child.
    loop l;
    strings log;
    gate last;
    gate other;
    coro::scope s{l.root};
    s.spawn(wait_then_log(last, log, "last"));
    l.spawn([](coro::scope& children, strings& to) -> coro::task<> {
        co_await children.join();
        EXPECT_EQ(children.size(), 0U);
        to.emplace_back("joined");
    }(s, log));
    l.spawn([](coro::scope& children, gate& trigger, gate& wait_for, strings& to) -> coro::task<> {
        co_await trigger.wait();
        children.spawn(wait_then_log(wait_for, to, "third party"));
    }(s, last, other, log));
    last.open();
    l.settle();
    other.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("last", "third party", "joined"));
}

TEST(scope, a_token_asks_and_listens) {
    loop l;
    coro::context c{l.root};
    const coro::cancel_token token{c};
    EXPECT_FALSE(token.cancelled());
    struct listener : coro::cancel_hook {
        listener() : cancel_hook{&on_cancel} {}
        static void on_cancel(coro::cancel_hook& h) noexcept { ++static_cast<listener&>(h).count; }
        int count = 0;
    };
    listener direct;
    listener gone;
    token.watch(direct);
    {
        token.watch(gone);
        gone.unlink();
    }
    c.cancel();
    c.cancel();
    EXPECT_TRUE(token.cancelled());
    EXPECT_EQ(direct.count, 1);
    EXPECT_EQ(gone.count, 0);
}

TEST(scope, a_hook_may_take_its_neighbours_out) {
    loop l;
    coro::context c{l.root};
    struct pair : coro::cancel_hook {
        pair() : cancel_hook{&on_cancel} {}
        static void on_cancel(coro::cancel_hook& h) noexcept {
            auto& self = static_cast<pair&>(h);
            ++self.count;
            if (self.other != nullptr) self.other->unlink();
        }
        pair* other = nullptr;
        int count = 0;
    };
    pair first;
    pair second;
    pair third;
    first.other = &second;
    for (auto* hook : {&first, &second, &third}) c.watch(*hook);
    c.cancel();
    EXPECT_EQ(first.count, 1);
    EXPECT_EQ(second.count, 0);
    EXPECT_EQ(third.count, 1);
}

using scope_death_test = ::testing::Test;

TEST(scope_death_test, has_one_joiner) {
    EXPECT_DEATH(
        {
            loop l;
            gate g;
            strings log;
            coro::scope s{l.root};
            s.spawn(wait_then_log(g, log, ""));
            auto join = [](coro::scope& children) -> coro::task<> { co_await children.join(); };
            l.spawn(join(s));
            l.spawn(join(s));
        },
        "a scope has one joiner at a time");
}

TEST(scope, one_that_runs_out_of_memory_ends_those_that_depend_on_it) {
    loop l;
    strings log;
    result<void> joined;
    l.spawn([](strings& to, result<void>& out) -> coro::task<> {
        out = co_await [](strings& where) -> coro::task<> {
            coro::scope s{co_await coro::this_context()};
            s.spawn(wait_for_cancel(where, "sibling"));
            s.spawn([]() -> coro::task<> {
                throw std::bad_alloc{};
                co_return;
            }());
            co_await s.join();
            where.emplace_back("joined");
        }(to)
                                                 .outcome();
    }(log, joined));
    l.settle();
    EXPECT_EQ(joined, result<void>{failure_of(ENOMEM)});
    EXPECT_EQ(log.size(), 1U);
}

TEST(scope, one_that_runs_out_of_memory_ends_no_independent_one) {
    loop l;
    strings log;
    gate later;
    l.spawn([](gate& g, strings& to) -> coro::task<> {
        coro::scope s{co_await coro::this_context(), coro::siblings::go_on};
        s.spawn(wait_then_log(g, to, "sibling"));
        s.spawn([]() -> coro::task<> {
            throw std::bad_alloc{};
            co_return;
        }());
        EXPECT_EQ(s.size(), 1U);
        EXPECT_TRUE(s.lacked_memory());
        co_await s.join();
        to.emplace_back("joined");
    }(later, log));
    l.settle();
    EXPECT_TRUE(log.empty());
    later.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("sibling", "joined"));
}

}  // namespace
}  // namespace sluice::test
