// Tasks: they start when awaited, give one result, run in their awaiter's context, and stack well.
#include "sluice/coro/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "tests/coro/loop.hpp"

namespace sluice::test {
namespace {

coro::task<int> number(int value) {
    co_return value;
}

coro::task<std::unique_ptr<int>> movable_only() {
    co_return std::make_unique<int>(42);
}

/// Says when it is destroyed.
struct witness {
    explicit witness(std::vector<std::string>& l, std::string n) : log{&l}, name{std::move(n)} {}
    witness(witness&& other) noexcept
        : log{std::exchange(other.log, nullptr)}, name{std::move(other.name)} {}
    witness(const witness&) = delete;
    witness& operator=(const witness&) = delete;
    witness& operator=(witness&&) = delete;
    ~witness() {
        if (log != nullptr) log->push_back(name + " is gone");
    }
    std::vector<std::string>* log;
    std::string name;
};

TEST(task, gives_its_result) {
    loop l;
    int got = 0;
    l.spawn([](int& out) -> coro::task<> {
        out = co_await number(1) + co_await number(2);
        auto pointer = co_await movable_only();
        out += *pointer;
    }(got));
    l.settle();
    EXPECT_EQ(got, 45);
}

TEST(task, does_nothing_until_it_is_awaited) {
    loop l;
    std::vector<std::string> log;
    auto child = [](std::vector<std::string>& to) -> coro::task<> {
        to.emplace_back("child");
        co_return;
    };
    l.spawn([](auto make, std::vector<std::string>& to) -> coro::task<> {
        auto made = make(to);
        to.emplace_back("made");
        co_await made;
        to.emplace_back("after");
    }(child, log));
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("made", "child", "after"));
}

TEST(task, that_is_never_awaited_frees_its_arguments) {
    std::vector<std::string> log;
    {
        auto child = [](witness w) -> coro::task<> {
            static_cast<void>(w);
            co_return;
        }(witness{log, "argument"});
        EXPECT_TRUE(child);
        EXPECT_THAT(log, ::testing::IsEmpty());
    }
    EXPECT_THAT(log, ::testing::ElementsAre("argument is gone"));
}

TEST(task, frees_what_it_holds_in_order) {
    loop l;
    std::vector<std::string> log;
    gate g;
    l.spawn([](std::vector<std::string>& to, gate& wait_for, witness argument) -> coro::task<> {
        const witness local{to, "local"};
        co_await wait_for.wait();
        to.emplace_back("end");
        static_cast<void>(argument);
    }(log, g, witness{log, "argument"}));
    l.settle();
    EXPECT_THAT(log, ::testing::IsEmpty());
    g.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("end", "local is gone", "argument is gone"));
}

TEST(task, resumes_its_awaiter_when_it_ends_later) {
    loop l;
    gate g;
    std::vector<std::string> log;
    auto child = [](gate& wait_for) -> coro::task<int> {
        co_await wait_for.wait();
        co_return 7;
    };
    l.spawn([](auto make, gate& wait_for, std::vector<std::string>& to) -> coro::task<> {
        auto got = co_await make(wait_for);
        to.push_back(std::to_string(got));
    }(child, g, log));
    l.settle();
    EXPECT_THAT(log, ::testing::IsEmpty());
    g.open();
    l.settle();
    EXPECT_THAT(log, ::testing::ElementsAre("7"));
}

TEST(task, a_million_that_never_wait_need_no_stack) {
    loop l;
    int sum = 0;
    l.spawn([](int& out) -> coro::task<> {
        for (int i = 0; i < 1'000'000; ++i) out += co_await number(1);
    }(sum));
    l.settle();
    EXPECT_EQ(sum, 1'000'000);
}

TEST(task, a_million_waits_in_a_child_need_no_stack) {
    loop l;
    struct yield : coro::resumable {
        explicit yield(coro::ready_queue& q) : queue{q} {}
        static bool await_ready() noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) noexcept {
            set_waiter(h);
            queue.push(*this);
        }
        static void await_resume() noexcept {}
        coro::ready_queue& queue;
    };
    int sum = 0;
    auto child = [](coro::ready_queue& q) -> coro::task<int> {
        co_await yield{q};
        co_return 1;
    };
    l.spawn([](auto make, coro::ready_queue& q, int& out) -> coro::task<> {
        for (int i = 0; i < 1'000'000; ++i) {
            auto one = co_await make(q);
            out += one;
        }
    }(child, l.queue, sum));
    l.settle();
    EXPECT_EQ(sum, 1'000'000);
}

TEST(task, inherits_the_context_of_its_awaiter) {
    loop l;
    coro::context* seen = nullptr;
    auto child = []() -> coro::task<coro::context*> { co_return &co_await coro::this_context(); };
    l.spawn([](auto make, coro::context*& out) -> coro::task<> {
        coro::context& mine = co_await coro::this_context();
        coro::context* theirs = co_await make();
        EXPECT_EQ(theirs, &mine);
        coro::context own{mine};
        auto other = make();
        other.set_context(own);
        theirs = co_await other;
        EXPECT_EQ(theirs, &own);
        out = &mine;
    }(child, seen));
    l.settle();
    EXPECT_NE(seen, nullptr);
}

TEST(task, can_be_moved_before_it_is_awaited) {
    loop l;
    int got = 0;
    l.spawn([](int& out) -> coro::task<> {
        auto a = number(1);
        auto b = std::move(a);
        EXPECT_FALSE(a);  // NOLINT(bugprone-use-after-move): what is left is the question
        auto c = number(2);
        c = std::move(b);
        out = co_await c;
    }(got));
    l.settle();
    EXPECT_EQ(got, 1);
}

/// Runs out of memory, as a string that grows would.
[[noreturn]] void run_out() {
    throw std::bad_alloc{};
}

TEST(lack_of_memory, in_a_body_is_the_result_of_a_task_that_can_say_so) {
    loop l;
    std::vector<std::string> log;
    result<int> got = 0;
    l.spawn([](result<int>& out, std::vector<std::string>& to) -> coro::task<> {
        out = co_await [](std::vector<std::string>& where) -> coro::task<result<int>> {
            const witness local{where, "local"};
            run_out();
            co_return 1;
        }(to);
        to.emplace_back("goes on");
    }(got, log));
    l.settle();
    EXPECT_EQ(got, result<int>{failure_of(ENOMEM)});
    EXPECT_THAT(log, ::testing::ElementsAre("local is gone", "goes on"));
}

TEST(lack_of_memory, goes_up_through_tasks_that_cannot_say_so) {
    loop l;
    result<void> got;
    bool went_on = false;
    l.spawn([](result<void>& out, bool& passed) -> coro::task<> {
        out = co_await [](bool& on) -> coro::task<result<void>> {
            const int n = co_await []() -> coro::task<int> {
                co_await []() -> coro::task<> {
                    run_out();
                    co_return;
                }();
                co_return 1;
            }();
            on = n > 0;
            co_return result<void>{};
        }(passed);
    }(got, went_on));
    l.settle();
    EXPECT_EQ(got, result<void>{failure_of(ENOMEM)});
    EXPECT_FALSE(went_on);
}

TEST(lack_of_memory, is_an_outcome_for_who_asks_for_one) {
    loop l;
    gate later;
    result<int> number_got = 0;
    result<int> fine = 0;
    result<void> nothing_got;
    l.spawn([](gate& g, result<int>& n, result<int>& f, result<void>& v) -> coro::task<> {
        n = co_await [](gate& wait) -> coro::task<int> {
            co_await wait.wait();
            run_out();
            co_return 1;
        }(g)
                                           .outcome();
        f = co_await number(7).outcome();
        v = co_await []() -> coro::task<> {
            run_out();
            co_return;
        }()
                                 .outcome();
    }(later, number_got, fine, nothing_got));
    l.settle();
    later.open();
    l.settle();
    EXPECT_EQ(number_got, result<int>{failure_of(ENOMEM)});
    EXPECT_EQ(fine, result<int>{7});
    EXPECT_EQ(nothing_got, result<void>{failure_of(ENOMEM)});
}

}  // namespace
}  // namespace sluice::test
