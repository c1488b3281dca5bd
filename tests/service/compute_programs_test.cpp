// Children that answer lines: in turn, after a crash, after too long.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sluice/service/compute/programs.hpp"

namespace sluice::service {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// What a pool said, to be waited for.
class record {
 public:
    void add(std::string_view what) {
        const std::lock_guard lock{mutex_};
        lines_.emplace_back(what);
        news_.notify_all();
    }
    std::string wait_for(std::string_view words) {
        std::unique_lock lock{mutex_};
        std::string found;
        news_.wait_for(lock, 30s, [&] {
            for (const auto& each : lines_) {
                if (each.find(words) == std::string::npos) continue;
                found = each;
                return true;
            }
            return false;
        });
        return found;
    }

 private:
    std::mutex mutex_;
    std::condition_variable news_;
    std::vector<std::string> lines_;
};

class programs_run : public ::testing::Test {
 protected:
    std::unique_ptr<programs> make(const std::string& script, unsigned count = 1,
                                   io::duration deadline = 30s, std::size_t queue = 10) {
        programs_options o;
        o.command = {"sh", "-c", script};
        o.count = count;
        o.deadline = deadline;
        o.queue = queue;
        o.heard = [this](std::string_view what) { said_.add(what); };
        o.trouble = [this](std::string_view what) { said_.add(what); };
        auto made = programs::make(std::move(o));
        EXPECT_TRUE(made);
        return std::move(*made);
    }
    record said_;
};

std::string shown(const result<std::string>& answer) {
    return answer ? *answer : "(" + answer.error().message() + ")";
}

constexpr auto doubling = R"(while read n; do echo $((n * 2)); done)";

TEST_F(programs_run, a_question_has_its_answer) {
    const auto pool = make(doubling);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(shown(pool->ask(std::to_string(i))), std::to_string(2 * i));
    }
}

TEST_F(programs_run, many_threads_share_few_programs) {
    const auto pool = make(doubling, 2, 30s, 100);
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&pool, &right, t] {
            for (int i = 0; i < 25; ++i) {
                const int n = t * 100 + i;
                if (shown(pool->ask(std::to_string(n))) == std::to_string(2 * n)) ++right;
            }
        });
    }
    for (auto& each : threads) each.join();
    EXPECT_EQ(right, 200);
    EXPECT_EQ(pool->running(), 2U);
}

TEST_F(programs_run, one_that_ends_costs_its_question_and_is_started_again) {
    const auto pool = make(R"(while read n; do [ $n = die ] && exit 7; echo $n; done)");
    EXPECT_EQ(shown(pool->ask("1")), "1");
    EXPECT_FALSE(pool->ask("die"));
    EXPECT_THAT(said_.wait_for("started again"), HasSubstr("at once"));
    // It is asked as soon as it runs.
    result<std::string> answer = failure(fault::closed);
    for (int i = 0; i < 3000 && !answer; ++i) {
        answer = pool->ask("2");
        if (!answer) std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(shown(answer), "2");
}

TEST_F(programs_run, one_that_never_lives_is_started_after_growing_pauses) {
    const auto pool = make("exit 3");
    pool->start();
    EXPECT_THAT(said_.wait_for("ended with status 3"), HasSubstr("at once"));
    EXPECT_NE(said_.wait_for("in 100 ms"), "");
    EXPECT_NE(said_.wait_for("in 200 ms"), "");
    EXPECT_FALSE(pool->ask("1"));
}

TEST_F(programs_run, one_that_takes_too_long_is_killed) {
    const auto pool =
        make(R"(while read n; do [ $n = hang ] && sleep 1000; echo $n; done)", 1, 50ms);
    EXPECT_EQ(pool->ask("hang").error(), error{fault::timed_out});
    EXPECT_NE(said_.wait_for("signal 9"), "");
}

TEST_F(programs_run, what_finds_the_queue_full_is_refused_at_once) {
    const auto pool =
        make(R"(while read n; do echo "at $n" >&2; sleep $n; echo $n; done)", 1, 30s, 0);
    std::thread first{[&pool] { EXPECT_FALSE(pool->ask("1000")); }};
    EXPECT_NE(said_.wait_for("at 1000"), "");
    EXPECT_EQ(pool->ask("0").error(), error{fault::queue_full});
    pool->shut();
    first.join();
}

TEST_F(programs_run, what_waits_longer_than_the_deadline_is_refused) {
    const auto pool = make(R"(while read n; do sleep $n; echo $n; done)", 1, 100ms);
    std::thread first{[&pool] { EXPECT_FALSE(pool->ask("1000")); }};
    const auto second = pool->ask("1000");
    EXPECT_EQ(second.error(), error{fault::timed_out});
    first.join();
}

TEST_F(programs_run, who_waits_while_one_is_killed_is_answered_by_the_next) {
    const auto pool = make(R"(while read n; do echo "at $n" >&2; sleep $n; echo $n; done)", 1, 2s);
    std::thread first{[&pool] { EXPECT_FALSE(pool->ask("1000")); }};
    EXPECT_NE(said_.wait_for("at 1000"), "");
    // Half of the time that the first has: the other half is left when that one is killed.
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(shown(pool->ask("0")), "0");
    first.join();
}

TEST_F(programs_run, what_they_say_on_stderr_is_passed_on) {
    const auto pool = make(R"(while read n; do echo "got $n" >&2; echo $n; done)");
    EXPECT_EQ(shown(pool->ask("5")), "5");
    EXPECT_THAT(said_.wait_for("got 5"), HasSubstr("sh ("));
}

TEST_F(programs_run, a_question_of_several_lines_stays_one) {
    const auto pool = make(R"(while read -r n; do echo "<$n>"; done)");
    EXPECT_EQ(shown(pool->ask("a\nb")), "<a b>");
}

TEST_F(programs_run, an_answer_of_several_lines_is_none) {
    const auto pool = make(R"(while read n; do printf 'a\nb\n'; done)");
    EXPECT_EQ(pool->ask("1").error(), error{fault::closed});
}

TEST_F(programs_run, shutting_ends_a_question_that_hangs) {
    const auto pool = make("echo ready >&2; read n; sleep 1000", 1, 1h);
    std::thread asking{[&pool] { EXPECT_FALSE(pool->ask("1")); }};
    EXPECT_NE(said_.wait_for("ready"), "");
    pool->shut();
    asking.join();
}

TEST(programs, one_that_does_not_exist_is_refused_with_words) {
    const auto made =
        programs::make({.command = {"no-such-program-here"}, .heard = {}, .trouble = {}});
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error(), HasSubstr("there is no program 'no-such-program-here'"));
}

}  // namespace
}  // namespace sluice::service
