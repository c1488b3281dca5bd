// The wrapper of epoll: each call does what its man page says, and says what went wrong.
#include "sluice/io/epoll.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <thread>

#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

/// From now on epoll_pwait2(2) is refused on this thread, as by a container's filter that is older.
bool refuse_fine_waits() {
    std::array<sock_filter, 4> program{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, __NR_epoll_pwait2},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

struct epoll_test : ::testing::Test {
    io::epoll epoll = *io::epoll::create();
    std::array<epoll_event, 4> events{};
    socket_pair pair = local_pair();

    [[nodiscard]] std::size_t wait(io::time_point until = io::time_point::min()) {
        auto n = epoll.wait(events, until);
        // The end of another test's ring interrupts, too.
        while (!n && n.error().is(EINTR)) n = epoll.wait(events, until);
        EXPECT_TRUE(n) << n.error().message();
        return n.value_or(0);
    }
};

TEST_F(epoll_test, reports_what_it_watches_with_its_data) {
    EXPECT_TRUE(epoll.add(pair.ours.get(), EPOLLIN, 42));
    EXPECT_EQ(wait(), 0U);
    write_all(pair.theirs.get(), "x");
    ASSERT_EQ(wait(io::never), 1U);
    EXPECT_EQ(events[0].data.u64, 42U);
    EXPECT_EQ(events[0].events, static_cast<std::uint32_t>(EPOLLIN));
    // Level-triggered unless EPOLLET was asked for.
    EXPECT_EQ(wait(), 1U);
}

TEST_F(epoll_test, watches_something_else_once_modified) {
    EXPECT_TRUE(epoll.add(pair.ours.get(), EPOLLIN, 1));
    EXPECT_TRUE(epoll.modify(pair.ours.get(), EPOLLOUT, 2));
    ASSERT_EQ(wait(), 1U);
    EXPECT_EQ(events[0].data.u64, 2U);
    EXPECT_EQ(events[0].events, static_cast<std::uint32_t>(EPOLLOUT));
}

TEST_F(epoll_test, forgets_what_is_removed) {
    EXPECT_TRUE(epoll.add(pair.ours.get(), EPOLLOUT, 1));
    EXPECT_EQ(wait(), 1U);
    EXPECT_TRUE(epoll.remove(pair.ours.get()));
    EXPECT_EQ(wait(), 0U);
}

TEST_F(epoll_test, says_what_is_wrong) {
    EXPECT_TRUE(epoll.modify(pair.ours.get(), EPOLLIN, 1).error().is(ENOENT));
    EXPECT_TRUE(epoll.remove(pair.ours.get()).error().is(ENOENT));
    EXPECT_TRUE(epoll.add(pair.ours.get(), EPOLLIN, 1));
    EXPECT_TRUE(epoll.add(pair.ours.get(), EPOLLIN, 1).error().is(EEXIST));
    EXPECT_TRUE(epoll.add(-1, EPOLLIN, 1).error().is(EBADF));
    std::string name = ::testing::TempDir() + "sluice-epoll-XXXXXX";
    const unique_fd file{::mkstemp(name.data())};
    ::unlink(name.c_str());
    EXPECT_TRUE(epoll.add(file.get(), EPOLLIN, 1).error().is(EPERM));
}

TEST_F(epoll_test, gives_no_more_events_than_fit) {
    std::array<unique_fd, 6> all;
    for (auto& fd : all) {
        fd.reset(::eventfd(1, EFD_CLOEXEC));
        EXPECT_TRUE(epoll.add(fd.get(), EPOLLIN | EPOLLET, 0));
    }
    EXPECT_EQ(wait(), 4U);
    EXPECT_EQ(wait(), 2U);
    EXPECT_EQ(wait(), 0U);
}

TEST_F(epoll_test, waits_until_the_deadline_and_no_longer) {
    const auto before = io::clock::now();
    EXPECT_EQ(wait(before + 5ms), 0U);
    EXPECT_GE(io::clock::now(), before + 5ms);
    EXPECT_EQ(wait(before), 0U);
}

TEST_F(epoll_test, does_without_the_newer_call) {
    EXPECT_TRUE(epoll.add(pair.ours.get(), EPOLLIN | EPOLLET, 7));
    std::thread{[&] {
        if (!refuse_fine_waits()) GTEST_SKIP() << "no seccomp filter may be installed here";
        EXPECT_EQ(wait(), 0U);
        const auto before = io::clock::now();
        EXPECT_EQ(wait(before + 1500us), 0U);
        EXPECT_GE(io::clock::now(), before + 1500us);
        EXPECT_EQ(wait(before), 0U);
        write_all(pair.theirs.get(), "x");
        EXPECT_EQ(wait(io::never), 1U);
        EXPECT_EQ(events[0].data.u64, 7U);
    }}.join();
}

TEST_F(epoll_test, tells_of_an_interruption) {
    struct sigaction nothing{};
    nothing.sa_handler = [](int) {};
    struct sigaction before{};
    ::sigaction(SIGUSR1, &nothing, &before);
    const auto waiting = static_cast<pid_t>(::syscall(SYS_gettid));
    bool interrupted = false;
    // Until it has hit a wait: one that comes before is lost.
    std::atomic<bool> done = false;
    std::thread other{[&] {
        while (!done) {
            ::syscall(SYS_tgkill, ::getpid(), waiting, SIGUSR1);
            std::this_thread::yield();
        }
    }};
    while (!interrupted) {
        auto n = epoll.wait(events, io::clock::now() + 1s);
        interrupted = !n && n.error().is(EINTR);
    }
    done = true;
    other.join();
    ::sigaction(SIGUSR1, &before, nullptr);
    EXPECT_TRUE(interrupted);
}

}  // namespace
}  // namespace sluice::test
