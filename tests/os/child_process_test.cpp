// A child speaks through its pipes, tells of its end, and is reaped exactly once.
#include "sluice/os/child_process.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

std::string read_all(const unique_fd& from) {
    std::string all;
    for (;;) {
        pollfd readable{.fd = from.get(), .events = POLLIN, .revents = 0};
        if (::poll(&readable, 1, 10'000) != 1) return all + " (late)";
        std::array<char, 256> buffer{};
        const auto n = ::read(from.get(), buffer.data(), buffer.size());
        if (n <= 0) return all;
        all.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

/// True if `pid` is no child of this process, or no longer.
bool is_reaped(pid_t pid) {
    return ::waitpid(pid, nullptr, WNOHANG) < 0 && errno == ECHILD;
}

TEST(child_process, speaks_through_three_pipes_with_the_variables_it_was_given) {
    auto child = os::child_process::start(
        {"sh", "-c", "read line; echo $line $NAME; echo oops >&2; exit 3"}, {"NAME=value"});
    ASSERT_TRUE(child);
    ASSERT_EQ(::write(child->input.get(), "hello\n", 6), 6);
    EXPECT_EQ(read_all(child->output), "hello value\n");
    EXPECT_EQ(read_all(child->errors), "oops\n");
    EXPECT_TRUE(child->wait_for_end(10s));
    EXPECT_TRUE(child->is_to_be_reaped());
    const pid_t pid = child->pid();
    EXPECT_EQ(os::how_it_ended(child->reap()), "ended with status 3");
    EXPECT_FALSE(child->is_to_be_reaped());
    EXPECT_EQ(child->pid(), pid);
    EXPECT_TRUE(is_reaped(pid));
}

TEST(child_process, gives_the_errno_where_there_is_no_such_program) {
    const auto child = os::child_process::start({"/nowhere/program"}, {});
    ASSERT_FALSE(child);
    EXPECT_EQ(child.error().code(), ENOENT);
    EXPECT_FALSE(os::can_be_run("/nowhere/program"));
    EXPECT_TRUE(os::can_be_run("sh"));
}

TEST(child_process, is_signalled_with_its_group) {
    auto child = os::child_process::start({"sh", "-c", "sleep 100 & echo; wait"}, {});
    ASSERT_TRUE(child);
    EXPECT_FALSE(child->wait_for_end(0ms));
    // From here on, both are there.
    pollfd readable{.fd = child->output.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
    child->signal_group(SIGTERM);
    EXPECT_TRUE(child->wait_for_end(10s));
    EXPECT_EQ(os::how_it_ended(child->reap()), "ended by signal 15 (Terminated)");
    EXPECT_EQ(read_all(child->output), "\n") << "its own child lives and holds the pipe";
}

TEST(child_process, is_killed_and_reaped_by_its_destructor_and_once_when_it_was_moved) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
        for (;;) ::pause();
    }
    {
        auto child = os::child_process::adopt(pid);
        ASSERT_TRUE(child);
        std::optional<os::child_process> moved{std::move(*child)};
        EXPECT_EQ(moved->pid(), pid);
        EXPECT_FALSE(moved->wait_for_end(0ms));
        moved.reset();
        EXPECT_TRUE(is_reaped(pid));
    }
}

}  // namespace
}  // namespace sluice::test
