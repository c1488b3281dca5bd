// Descriptors of the simulated kernel: numbers, counters, pipes, timers, signals, epoll and poll.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <array>
#include <string>
#include <vector>

#include "sluice/os/clock.hpp"
#include "sluice/os/mirrored_mapping.hpp"
#include "sluice/os/thread.hpp"
#include "tests/sim/rig.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view one_event{"\1\0\0\0\0\0\0\0", 8};

epoll_event wanted(std::uint32_t events, std::uint64_t data) {
    epoll_event e{};
    e.events = events;
    e.data.u64 = data;
    return e;
}

/// The data of the events that are there, as text.
std::string events_of(int epoll) {
    std::array<epoll_event, 8> events{};
    std::string all;
    const timespec at_once{};
    const int n = os::sys().epoll_pwait2(epoll, events, &at_once);
    for (int i = 0; i < n; ++i) {
        all += std::to_string(events[static_cast<std::size_t>(i)].data.u64);
    }
    return all;
}

TEST(simulated_descriptors, have_the_lowest_free_number) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        EXPECT_EQ(sys.eventfd(0, 0), 3);
        EXPECT_EQ(sys.eventfd(0, 0), 4);
        EXPECT_EQ(sys.close(3), 0);
        EXPECT_EQ(sys.close(3), -EBADF);
        EXPECT_EQ(sys.eventfd(0, 0), 3);
        EXPECT_EQ(sys.dup2(3, 9), 9);
        EXPECT_EQ(sys.fcntl(9, F_DUPFD_CLOEXEC, 7), 7);
        EXPECT_EQ(sys.fcntl(7, F_GETFD), FD_CLOEXEC);
        EXPECT_EQ(sys.openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC), 5);
        const rlimit few{.rlim_cur = 6, .rlim_max = 6};
        EXPECT_EQ(sys.setrlimit(RLIMIT_NOFILE, few), 0);
        EXPECT_EQ(sys.eventfd(0, 0), -EMFILE);
        EXPECT_EQ(sys.close_range(3, ~0U), 0);
    });
}

TEST(simulated_descriptors, belong_to_one_process) {
    sim::world w{quiet(1)};
    for (const char* name : {"one", "two"}) {
        w.start_process(name, [] { EXPECT_EQ(os::sys().eventfd(0, 0), 3); });
    }
    w.run();
    EXPECT_EQ(w.kernel().processes()[0]->open_descriptors(), 1);
    EXPECT_EQ(w.kernel().processes()[1]->open_descriptors(), 1);
}

TEST(simulated_eventfd, counts) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        const int fd = sys.eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
        EXPECT_EQ(read_text(fd, 8), one_event);
        EXPECT_EQ(read_text(fd, 8), one_event);
        EXPECT_EQ(read_text(fd, 8), std::to_string(-EAGAIN));
        EXPECT_EQ(write_text(fd, one_event), 8);
        EXPECT_EQ(read_text(fd, 8), one_event);
        sys.close(fd);
    });
}

TEST(simulated_pipe, passes_bytes_between_threads_and_says_when_an_end_is_gone) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        in_world(quiet(seed), [](sim::world&) {
            os::kernel& sys = os::sys();
            std::array<int, 2> ends{};
            ASSERT_EQ(sys.pipe2(ends, O_CLOEXEC), 0);
            const std::string sent(200'000, 'x');
            os::thread writer;
            ASSERT_TRUE(writer.start([&]() noexcept {
                EXPECT_EQ(write_text(ends[1], sent), std::ssize(sent));
                os::sys().close(ends[1]);
            }));
            std::string got;
            for (std::string part; !(part = read_text(ends[0])).empty();) got += part;
            writer.join();
            EXPECT_EQ(got, sent);
            sys.close(ends[0]);
        });
    }
}

TEST(simulated_pipe, has_no_reader) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        std::array<int, 2> ends{};
        ASSERT_EQ(sys.pipe2(ends, 0), 0);
        struct sigaction ignore{};
        ignore.sa_handler = SIG_IGN;
        EXPECT_EQ(sys.sigaction(SIGPIPE, &ignore, nullptr), 0);
        sys.close(ends[0]);
        EXPECT_EQ(write_text(ends[1], "lost"), -EPIPE);
        sys.close(ends[1]);
    });
}

TEST(simulated_timerfd, expires) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        const int fd = sys.timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        itimerspec each{};
        each.it_value.tv_sec = 3;
        each.it_interval.tv_sec = 1;
        EXPECT_EQ(sys.timerfd_settime(fd, 0, each), 0);
        const auto begun = os::clock::now();
        EXPECT_EQ(read_text(fd, 8), one_event);
        EXPECT_GE(os::clock::now() - begun, 2999ms);
        EXPECT_LE(os::clock::now() - begun, 3001ms);
        EXPECT_EQ(read_text(fd, 8), one_event);
        sys.close(fd);
    });
}

int handled = 0;

TEST(simulated_signals, come_to_a_descriptor_to_a_handler_or_end_the_process) {
    sim::world w{quiet(5)};
    bool ended = false;
    sim::process& reader = w.start_process("reader", [] {
        os::kernel& sys = os::sys();
        sigset_t set{};
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        EXPECT_EQ(sys.mask_signals(SIG_BLOCK, &set, nullptr), 0);
        const int fd = sys.signalfd(-1, set, SFD_CLOEXEC);
        signalfd_siginfo info{};
        EXPECT_EQ(sys.read(fd, std::as_writable_bytes(std::span{&info, 1})), sizeof info);
        EXPECT_EQ(info.ssi_signo, static_cast<unsigned>(SIGTERM));
        sys.close(fd);
    });
    sim::process& handler = w.start_process("handler", [] {
        handled = 0;
        struct sigaction action{};
        action.sa_handler = [](int number) { handled = number; };
        EXPECT_EQ(os::sys().sigaction(SIGUSR1, &action, nullptr), 0);
        EXPECT_EQ(os::sys().ppoll({}, nullptr), -EINTR);
        EXPECT_EQ(handled, SIGUSR1);
    });
    sim::process& plain = w.start_process("plain", [&] {
        os::sleep_for(1h / 2);
        ended = true;
    });
    w.after(sim::a_second, [&] {
        reader.signal(SIGTERM);
        handler.signal(SIGUSR1);
        plain.signal(SIGTERM);
    });
    w.run();
    EXPECT_TRUE(plain.over());
    EXPECT_FALSE(ended);
    EXPECT_LT(w.now(), 3 * sim::a_second);
}

TEST(simulated_epoll, reports_edges_once_and_levels_again) {
    in_world(quiet(1), [](sim::world&) {
        os::kernel& sys = os::sys();
        const int epoll = sys.epoll_create1(EPOLL_CLOEXEC);
        const int edge = sys.eventfd(0, EFD_NONBLOCK);
        const int level = sys.eventfd(0, EFD_NONBLOCK);
        epoll_event for_edge = wanted(EPOLLIN | EPOLLET, 1);
        epoll_event for_level = wanted(EPOLLIN, 2);
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_ADD, edge, &for_edge), 0);
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_ADD, edge, &for_edge), -EEXIST);
        EXPECT_EQ(events_of(epoll), "");
        write_text(edge, one_event);
        EXPECT_EQ(events_of(epoll), "1");
        EXPECT_EQ(events_of(epoll), "");
        write_text(edge, one_event);
        EXPECT_EQ(events_of(epoll), "1");
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_MOD, edge, &for_edge), 0);
        EXPECT_EQ(events_of(epoll), "1");
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_ADD, level, &for_level), 0);
        write_text(level, one_event);
        EXPECT_EQ(events_of(epoll), "2");
        EXPECT_EQ(events_of(epoll), "2");
        read_text(level, 8);
        EXPECT_EQ(events_of(epoll), "");
        write_text(level, one_event);
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_DEL, level, nullptr), 0);
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_DEL, level, nullptr), -ENOENT);
        EXPECT_EQ(events_of(epoll), "");
        // A description that ends is watched no more.
        write_text(edge, one_event);
        sys.close(edge);
        EXPECT_EQ(events_of(epoll), "");
        const int file = sys.openat(AT_FDCWD, "/dev/null", O_RDONLY);
        EXPECT_EQ(sys.epoll_ctl(epoll, EPOLL_CTL_ADD, file, &for_edge), -EPERM);
        for (const int fd : {epoll, level, file}) sys.close(fd);
    });
}

TEST(simulated_poll, waits_for_one_of_several) {
    in_world(quiet(1), [](sim::world& w) {
        os::kernel& sys = os::sys();
        std::array<int, 2> ends{};
        ASSERT_EQ(sys.pipe2(ends, 0), 0);
        const int fd = sys.eventfd(0, 0);
        std::array<pollfd, 3> watched{{{ends[0], POLLIN, 0}, {fd, POLLIN, 0}, {-1, POLLIN, 0}}};
        const timespec second{.tv_sec = 1, .tv_nsec = 0};
        EXPECT_EQ(sys.ppoll(watched, &second), 0);
        const auto counter = w.kernel().current().table().find(fd);
        w.after(sim::a_second, [&] { static_cast<void>(counter->write(as_bytes(one_event))); });
        EXPECT_EQ(sys.ppoll(watched, nullptr), 1);
        EXPECT_EQ(watched[0].revents, 0);
        EXPECT_EQ(watched[1].revents, POLLIN);
        sys.close(ends[1]);
        EXPECT_EQ(sys.ppoll(watched, nullptr), 2);
        EXPECT_EQ(watched[0].revents, POLLHUP);
        sys.close(ends[0]);
        sys.close(fd);
        EXPECT_EQ(sys.ppoll(watched, nullptr), 2);
        EXPECT_EQ(watched[0].revents, POLLNVAL);
    });
}

TEST(simulated_memory, is_real) {
    in_world(quiet(1), [](sim::world&) {
        const auto mirrored = mirrored_mapping::create(5000);
        ASSERT_TRUE(mirrored);
    });
}

}  // namespace
}  // namespace sluice::test
