// The pool of programs on the simulated kernel: what depends on the moment in which a program ends.
#include "sluice/compute/server/process_pool.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <string>
#include <utility>

#include "sluice/io/make_engine.hpp"
#include "sluice/io/run.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/signal_action.hpp"
#include "sluice/os/thread.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// Reads a line, with its end, from stdin.
std::string read_question() {
    std::string line;
    while (!line.ends_with('\n')) {
        const auto got = read_text(STDIN_FILENO);
        if (got.empty()) break;
        line += got;
    }
    return line;
}

result<std::string> ask(compute::process_pool& pool, std::string question) {
    auto engine = io::make_engine(io::engine_kind::blocking);
    EXPECT_TRUE(engine);
    compute::question_context of;
    return io::run(**engine, pool.ask(**engine, std::move(question), of));
}

TEST(simulated_pool, hears_the_answer_of_a_program_that_ends_with_it) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        in_world(quiet(seed), [](sim::world& w) {
            w.kernel().add_program(program_path, [] {
                write_text(STDOUT_FILENO, read_question());
                return 0;
            });
            auto pool = compute::process_pool::make({.command = {program_path}});
            ASSERT_TRUE(pool);
            for (const auto* question : {"one", "two", "three"}) {
                const auto answer = ask(**pool, question);
                EXPECT_EQ(answer ? *answer : answer.error().message(), question);
            }
            (*pool)->stop_and_join(1s);
        });
    }
}

TEST(simulated_pool, keeps_a_program_that_had_no_time_to_read_its_question) {
    in_world(quiet(1), [](sim::world& w) {
        w.kernel().add_program(program_path, [] {
            os::sleep_for(300ms);
            for (std::string line; !(line = read_question()).empty();) {
                write_text(STDOUT_FILENO, line);
            }
            return 0;
        });
        auto pool = compute::process_pool::make({.command = {program_path}, .deadline = 50ms});
        ASSERT_TRUE(pool);
        for (const auto* question : {"one", "two"}) {
            const auto answer = ask(**pool, question);
            ASSERT_FALSE(answer);
            EXPECT_EQ(answer.error(), error{fault::timed_out});
        }
        os::sleep_for(300ms);
        const auto answer = ask(**pool, "three");
        EXPECT_EQ(answer ? *answer : answer.error().message(), "three");
        EXPECT_EQ((*pool)->counted().started, 1U);
        (*pool)->stop_and_join(1s);
    });
}

TEST(simulated_pool, replaces_a_program_that_never_reads) {
    in_world(quiet(1), [](sim::world& w) {
        w.kernel().add_program(program_path, [] {
            os::sleep_for(1h);
            return 0;
        });
        auto pool = compute::process_pool::make({.command = {program_path}, .deadline = 50ms});
        ASSERT_TRUE(pool);
        EXPECT_FALSE(ask(**pool, "one"));
        os::sleep_for(5100ms);
        EXPECT_EQ((*pool)->counted().killed, 1U);
        EXPECT_EQ((*pool)->running(), 1U);
        (*pool)->stop_and_join(1s);
    });
}

/// Answers a question, and ends by SIGKILL alone.
[[noreturn]] int answer_and_stay() {
    os::set_signal_action(SIGTERM, SIG_IGN);
    write_text(STDOUT_FILENO, read_question());
    for (;;) os::sleep_for(1h);
}

TEST(simulated_pool, ends_within_the_grace_what_was_told_to_end_before_the_stop) {
    for (const auto before : {0ms, 900ms, 1500ms, 5900ms}) {
        in_world(quiet(1), [before](sim::world& w) {
            w.kernel().add_program(program_path, answer_and_stay);
            auto pool = compute::process_pool::make({.command = {program_path}, .fresh = true});
            ASSERT_TRUE(pool);
            EXPECT_TRUE(ask(**pool, "one"));
            os::sleep_for(before);
            const auto begun = os::clock::now();
            (*pool)->stop_and_join(700ms);
            EXPECT_LT(os::clock::now() - begun, 750ms);
        });
    }
}

TEST(simulated_pool, kills_at_the_earliest_time_of_several_stops) {
    in_world(quiet(1), [](sim::world& w) {
        w.kernel().add_program(program_path, [] {
            os::set_signal_action(SIGTERM, SIG_IGN);
            read_question();
            os::sleep_for(1h);
            return 0;
        });
        auto pool = compute::process_pool::make({.command = {program_path}});
        ASSERT_TRUE(pool);
        os::thread client;
        ASSERT_TRUE(client.start([&]() noexcept { EXPECT_FALSE(ask(**pool, "one")); }));
        os::sleep_for(10ms);
        const auto begun = os::clock::now();
        (*pool)->stop(begun, begun + 5s);
        os::sleep_for(100ms);
        (*pool)->stop_and_join(0s);
        client.join();
        EXPECT_LT(os::clock::now() - begun, 600ms);
    });
}

}  // namespace
}  // namespace sluice::test
