// A pool of programs that answer lines: in turn, after a crash, and when they print too much.
#include "sluice/compute/server/process_pool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "sluice/io/engine.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"

namespace sluice::compute {
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

/// Asks from a thread of its own kind, on an engine that blocks.
result<std::string> ask(process_pool& pool, std::string question, question_context& of) {
    auto engine = io::make_engine(io::engine_kind::blocking);
    EXPECT_TRUE(engine);
    return io::run(**engine, pool.ask(**engine, std::move(question), of));
}
result<std::string> ask(process_pool& pool, std::string question) {
    question_context of;
    return ask(pool, std::move(question), of);
}

void stop(process_pool& pool, io::duration grace) {
    const auto now = io::clock::now();
    pool.stop(now, io::after(now, grace));
}

class programs_run : public ::testing::Test {
 protected:
    std::unique_ptr<process_pool> make(const std::string& script, unsigned count = 1,
                                       io::duration deadline = 30s, std::size_t queue = 10,
                                       bool fresh = false) {
        process_pool_options o;
        o.command = {"sh", "-c", script};
        o.count = count;
        o.deadline = deadline;
        o.queue = queue;
        o.fresh = fresh;
        o.silence = 200ms;
        o.heard = [this](std::string_view what) { said_.add(what); };
        o.on_error = [this](std::string_view what) { said_.add(what); };
        auto made = process_pool::make(std::move(o));
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
        EXPECT_EQ(shown(ask(*pool, std::to_string(i))), std::to_string(2 * i));
    }
}

TEST_F(programs_run, a_question_whose_coroutine_dies_is_taken_back) {
    const auto pool =
        make(R"(while read n; do [ $n = wait ] && sleep 100; echo $n; done)", 1, 30s, 1);
    const auto made = io::make_engine(io::engine_kind::epoll);
    ASSERT_TRUE(made);
    io::engine& engine = **made;
    coro::context root{engine.ready()};
    const auto ask_and_die = [&](std::string question) {
        question_context of;
        auto waiting = pool->ask(engine, std::move(question), of);
        waiting.set_context(root);
        auto handle = waiting.release();
        handle.resume();
        handle.destroy();
    };
    // One whose question may run by now, and as many again as would fill the queue twice.
    for (const char* question : {"wait", "a", "b", "c"}) ask_and_die(question);
    EXPECT_EQ(shown(ask(*pool, "2")), "2");
}

TEST_F(programs_run, many_threads_share_few_programs) {
    const auto pool = make(doubling, 2, 30s, 100);
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&pool, &right, t] {
            for (int i = 0; i < 25; ++i) {
                const int n = t * 100 + i;
                if (shown(ask(*pool, std::to_string(n))) == std::to_string(2 * n)) ++right;
            }
        });
    }
    for (auto& each : threads) each.join();
    EXPECT_EQ(right, 200);
    EXPECT_EQ(pool->running(), 2U);
}

TEST_F(programs_run, one_that_ends_costs_its_question_and_is_started_again) {
    const auto pool = make(R"(while read n; do [ $n = die ] && exit 7; echo $n; done)");
    EXPECT_EQ(shown(ask(*pool, "1")), "1");
    EXPECT_FALSE(ask(*pool, "die"));
    EXPECT_THAT(said_.wait_for("started again"), HasSubstr("at once"));
    // It is asked as soon as it runs.
    result<std::string> answer = failure(fault::closed);
    for (int i = 0; i < 3000 && !answer; ++i) {
        answer = ask(*pool, "2");
        if (!answer) std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(shown(answer), "2");
}

TEST_F(programs_run, one_that_exits_at_once_is_started_after_growing_pauses) {
    const auto pool = make("exit 3");
    pool->start();
    EXPECT_THAT(said_.wait_for("ended with status 3"), HasSubstr("at once"));
    EXPECT_NE(said_.wait_for("in 100 ms"), "");
    EXPECT_NE(said_.wait_for("in 200 ms"), "");
    EXPECT_FALSE(ask(*pool, "1"));
}

TEST_F(programs_run, one_that_takes_too_long_is_killed) {
    const auto pool =
        make(R"(while read n; do [ $n = hang ] && sleep 1000; echo $n; done)", 1, 50ms);
    EXPECT_EQ(ask(*pool, "hang").error(), error{fault::timed_out});
    EXPECT_NE(said_.wait_for("signal 9"), "");
}

TEST_F(programs_run, what_finds_the_queue_full_is_refused_at_once) {
    const auto pool =
        make(R"(while read n; do echo "at $n" >&2; sleep $n; echo $n; done)", 1, 30s, 0);
    std::thread first{[&pool] { EXPECT_FALSE(ask(*pool, "1000")); }};
    EXPECT_NE(said_.wait_for("at 1000"), "");
    EXPECT_EQ(ask(*pool, "0").error(), error{fault::queue_full});
    stop(*pool, 0s);
    first.join();
}

TEST_F(programs_run, what_waits_longer_than_the_deadline_is_refused) {
    const auto pool = make(R"(while read n; do sleep $n; echo $n; done)", 1, 100ms);
    std::thread first{[&pool] { EXPECT_FALSE(ask(*pool, "1000")); }};
    const auto second = ask(*pool, "1000");
    EXPECT_EQ(second.error(), error{fault::timed_out});
    first.join();
}

TEST_F(programs_run, who_waits_while_one_is_killed_is_answered_by_the_next) {
    const auto pool = make(R"(while read n; do echo "at $n" >&2; sleep $n; echo $n; done)", 1, 2s);
    std::thread first{[&pool] { EXPECT_FALSE(ask(*pool, "1000")); }};
    EXPECT_NE(said_.wait_for("at 1000"), "");
    // Half of the time that the first has: the other half is left when that one is killed.
    std::this_thread::sleep_for(1s);
    EXPECT_EQ(shown(ask(*pool, "0")), "0");
    first.join();
}

TEST_F(programs_run, what_they_say_on_stderr_is_passed_on) {
    const auto pool = make(R"(while read n; do echo "got $n" >&2; echo $n; done)");
    EXPECT_EQ(shown(ask(*pool, "5")), "5");
    EXPECT_THAT(said_.wait_for("got 5"), HasSubstr("sh ("));
}

TEST_F(programs_run, a_question_of_several_lines_stays_one) {
    const auto pool = make(R"(while read -r n; do echo "<$n>"; done)");
    EXPECT_EQ(shown(ask(*pool, "a\nb")), "<a b>");
}

TEST_F(programs_run, an_answer_is_one_line_and_what_follows_is_thrown_away) {
    const auto pool = make(R"(while read n; do printf "$n\nof $n\n"; done)");
    for (const auto* each : {"1", "2", "3"}) EXPECT_EQ(shown(ask(*pool, each)), each);
    EXPECT_NE(said_.wait_for("printed more than one line for a question"), "");
    EXPECT_GE(pool->counted().unasked, 2U);
}

TEST_F(programs_run, a_line_that_comes_late_is_no_answer) {
    // The second line comes while the next question is already under way.
    const auto pool = make(R"(while read n; do echo "a $n"; sleep 0.05; echo "b $n"; done)");
    for (const auto* each : {"1", "2", "3", "4"}) {
        EXPECT_EQ(shown(ask(*pool, each)), std::string{"a "} + each);
    }
}

TEST_F(programs_run, a_banner_and_prompts_are_no_answers) {
    const auto pool = make(
        R"(echo hello; echo world; printf '> '; while read n; do echo "a $n"; printf '> '; done)");
    for (const auto* each : {"1", "2", "3"}) {
        EXPECT_EQ(shown(ask(*pool, each)), std::string{"a "} + each);
    }
    EXPECT_NE(said_.wait_for("before it was asked anything"), "");
    EXPECT_EQ(pool->counted().started, 1U);
    EXPECT_EQ(pool->counted().unasked, 2U);
}

TEST_F(programs_run, what_copies_its_input_answers_with_it) {
    const auto pool = make("exec cat");
    for (const auto& each :
         {std::string{"1"}, std::string{"two words"}, std::string(20'000, 'x')}) {
        EXPECT_EQ(shown(ask(*pool, each)), each);
    }
    EXPECT_EQ(shown(ask(*pool, "")), " ");
    EXPECT_EQ(pool->counted().started, 1U);
}

TEST_F(programs_run, after_a_line_too_much_each_question_has_a_new_process) {
    const auto pool = make(R"(while read n; do echo $$; [ $n = more ] && echo more; done)");
    const auto first = shown(ask(*pool, "1"));
    EXPECT_EQ(shown(ask(*pool, "more")), first);
    const auto second = shown(ask(*pool, "2"));
    EXPECT_NE(second, first);
    EXPECT_NE(shown(ask(*pool, "3")), second);
}

TEST_F(programs_run, a_new_process_for_each_question_if_wanted) {
    const auto pool = make(R"(while read n; do echo $$; done)", 1, 30s, 10, true);
    const auto first = shown(ask(*pool, "1"));
    EXPECT_NE(shown(ask(*pool, "1")), first);
}

TEST_F(programs_run, one_that_prints_without_end_is_started_after_growing_pauses) {
    const auto pool = make("exec yes");
    pool->start();
    EXPECT_THAT(said_.wait_for("printed more than 64 KiB without being asked"),
                HasSubstr("signal 9"));
    EXPECT_FALSE(ask(*pool, "1"));
}

TEST_F(programs_run, a_line_without_an_end_is_bounded) {
    const auto pool = make("read n; exec tr '\\n' x </dev/zero");
    EXPECT_EQ(ask(*pool, "1").error(), error{fault::closed});
    EXPECT_NE(said_.wait_for("longer than 1048576 bytes"), "");
}

TEST_F(programs_run, one_that_closes_its_output_is_replaced) {
    const auto pool = make("read n; echo $n; exec >&-; read n; sleep 1000");
    EXPECT_EQ(shown(ask(*pool, "1")), "1");
    EXPECT_NE(said_.wait_for("closed its stdin or stdout"), "");
    EXPECT_EQ(shown(ask(*pool, "2")), "2");
}

TEST_F(programs_run, who_ended_its_side_gives_way_to_those_who_wait) {
    const auto pool = make(R"(while read n; do [ $n = hang ] && sleep 1000; echo $n; done)");
    question_context of;
    of.client_ended = true;
    std::thread first{[&] { EXPECT_EQ(ask(*pool, "hang", of).error(), error{fault::timed_out}); }};
    while (of.queued == io::duration{}) std::this_thread::sleep_for(1ms);
    EXPECT_EQ(shown(ask(*pool, "1")), "1");
    first.join();
    EXPECT_NE(said_.wait_for("does it flush its output? Try stdbuf -oL, python3 -u"), "");
}

TEST_F(programs_run, at_a_stop_input_ends_before_signals_come) {
    const auto pool = make(R"(trap 'echo term >&2; exit' TERM
        while read n; do echo $n; done; echo end >&2; while :; do sleep 0.01; done)");
    EXPECT_EQ(shown(ask(*pool, "1")), "1");
    stop(*pool, 5s);
    EXPECT_NE(said_.wait_for("end"), "");
    EXPECT_NE(said_.wait_for("term"), "");
    pool->join();
    EXPECT_EQ(pool->counted().killed, 0U);
}

TEST_F(programs_run, one_that_does_not_end_is_killed_after_the_grace_and_that_is_said) {
    const auto pool = make("trap '' TERM; read n; echo $n; while :; do sleep 0.01; done");
    EXPECT_EQ(shown(ask(*pool, "1")), "1");
    stop(*pool, 100ms);
    pool->join();
    EXPECT_THAT(said_.wait_for("was killed"), HasSubstr("after the end of its input and SIGTERM"));
}

TEST_F(programs_run, shutting_ends_a_question_that_hangs) {
    const auto pool = make("echo ready >&2; read n; sleep 1000", 1, 1h);
    std::thread asking{[&pool] { EXPECT_FALSE(ask(*pool, "1")); }};
    EXPECT_NE(said_.wait_for("ready"), "");
    stop(*pool, 0s);
    asking.join();
}

TEST(process_pool, one_that_does_not_exist_is_refused_with_words) {
    const auto made =
        process_pool::make({.command = {"no-such-program-here"}, .heard = {}, .on_error = {}});
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error(), HasSubstr("there is no program 'no-such-program-here'"));
}

}  // namespace
}  // namespace sluice::compute
