// Child processes of the simulated kernel: their pipes, their ends, signals, and what fails.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "sluice/os/child_process.hpp"
#include "sluice/os/clock.hpp"
#include "sluice/os/signal_action.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// Runs `body` as the only process of a world without faults in which /program is `program`.
template <class Program, class Body>
void with_program(std::uint64_t seed, Program program, Body body) {
    in_world(quiet(seed), [&](sim::world& w) {
        w.kernel().add_program(program_path, program);
        body(w);
    });
}

/// Starts /program; its reading ends block, as those of a test may.
os::child_process start_program() {
    auto started = os::child_process::start({program_path}, {});
    EXPECT_TRUE(started);
    for (const auto* each : {&started->output, &started->errors}) {
        EXPECT_EQ(os::sys().fcntl(each->get(), F_SETFL, 0), 0);
    }
    return std::move(*started);
}

/// Copies its input to its output, and says "end" on stderr.
int copy_input() {
    for (std::string got; !(got = read_text(STDIN_FILENO)).empty();) {
        write_text(STDOUT_FILENO, got);
    }
    write_text(STDERR_FILENO, "end");
    return 3;
}

[[noreturn]] int sleep_forever() {
    for (;;) os::sleep_for(1h);
}

TEST(simulated_process, speaks_through_three_pipes_and_is_reaped_once) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        with_program(seed, copy_input, [](sim::world&) {
            EXPECT_TRUE(os::can_be_run(program_path));
            auto child = start_program();
            EXPECT_EQ(write_text(child.input.get(), "hello"), 5);
            EXPECT_EQ(read_text(child.output.get()), "hello");
            EXPECT_EQ(os::sys().waitpid(child.pid(), nullptr, WNOHANG), 0);
            child.input.reset();
            EXPECT_EQ(read_text(child.errors.get()), "end");
            EXPECT_EQ(read_text(child.output.get()), "");
            EXPECT_TRUE(child.wait_for_end(1s));
            EXPECT_EQ(os::how_it_ended(child.reap()), "ended with status 3");
            EXPECT_EQ(os::sys().waitpid(child.pid(), nullptr, 0), -ECHILD);
        });
    }
}

TEST(simulated_process, is_waited_for_and_has_no_descriptors_but_its_own) {
    with_program(
        1,
        [] { return os::sys().fcntl(3, F_GETFD) == -EBADF && os::sys().getppid() == 1001 ? 0 : 1; },
        [](sim::world&) {
            const int other = os::sys().eventfd(0, 0);
            auto child = start_program();
            EXPECT_EQ(child.reap(), 0);
            os::sys().close(other);
        });
}

TEST(simulated_process, is_killed_while_it_reads_and_leaves_no_pipe_open) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        with_program(seed, copy_input, [](sim::world& w) {
            auto child = start_program();
            const auto begun = os::clock::now();
            os::sleep_for(10ms);
            child.signal_group(SIGTERM);
            EXPECT_EQ(read_text(child.output.get()), "");
            EXPECT_TRUE(child.wait_for_end(1s));
            EXPECT_LT(os::clock::now() - begun, 100ms);
            os::set_signal_action(SIGPIPE, SIG_IGN);
            EXPECT_EQ(write_text(child.input.get(), "lost"), -EPIPE);
            EXPECT_EQ(os::sys().kill(child.pid(), 0), 0);
            EXPECT_EQ(os::how_it_ended(child.reap()), "ended by signal 15 (Terminated)");
            EXPECT_TRUE(w.kernel().processes().back()->reaped());
        });
    }
}

TEST(simulated_process, may_ignore_a_signal_but_not_the_last_one) {
    with_program(
        1,
        [] {
            os::set_signal_action(SIGTERM, SIG_IGN);
            write_text(STDOUT_FILENO, "ready");
            return sleep_forever();
        },
        [](sim::world&) {
            auto child = start_program();
            EXPECT_EQ(read_text(child.output.get()), "ready");
            child.signal(SIGTERM);
            EXPECT_FALSE(child.wait_for_end(1s));
            child.signal(SIGKILL);
            EXPECT_EQ(os::how_it_ended(child.reap()), "ended by signal 9 (Killed)");
        });
}

TEST(simulated_process, ends_by_a_signal_of_its_own) {
    with_program(
        1, [] { return os::sys().raise(SIGSEGV); },
        [](sim::world&) {
            EXPECT_EQ(os::how_it_ended(start_program().reap()),
                      "ended by signal 11 (Segmentation fault)");
        });
}

TEST(simulated_process, is_killed_and_reaped_with_its_owner) {
    with_program(1, sleep_forever, [](sim::world& w) {
        {
            const auto child = start_program();
        }
        EXPECT_TRUE(w.kernel().processes().back()->reaped());
    });
}

TEST(simulated_process, may_not_be_had) {
    with_program(1, sleep_forever, [](sim::world& w) {
        const auto none = os::child_process::start({"/nowhere"}, {});
        ASSERT_FALSE(none);
        EXPECT_EQ(none.error().code(), ENOENT);
        EXPECT_FALSE(os::can_be_run("/nowhere"));
        w.kernel().faults().no_process = 1;
        EXPECT_FALSE(os::child_process::start({program_path}, {}));
        // Its number cannot be had either: it is reaped.
        w.kernel().faults() = {.no_descriptor = 0.5};
        for (int i = 0; i < 50; ++i)
            static_cast<void>(os::child_process::start({program_path}, {}));
        for (const auto& each : w.kernel().processes()) {
            EXPECT_TRUE(each->parent() == nullptr || each->reaped());
        }
        EXPECT_TRUE(w.kernel().current().last_shortage());
    });
}

TEST(simulated_process, that_was_reaped_may_not_be_signalled) {
    EXPECT_DEATH(with_program(1, copy_input,
                              [](sim::world&) {
                                  auto child = start_program();
                                  child.input.reset();
                                  child.reap();
                                  os::sys().kill(child.pid(), SIGTERM);
                              }),
                 "another may have its number");
}

}  // namespace
}  // namespace sluice::test
