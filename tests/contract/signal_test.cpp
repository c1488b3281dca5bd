// Signals: awaited as events, and survived as interruptions.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <thread>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/remote.hpp"
#include "sluice/io/shard.hpp"
#include "sluice/io/signals.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class signal_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, signal_contract, ::testing::ValuesIn(every_engine()), engine_name);

void raise_here(int number) {
    ::pthread_kill(::pthread_self(), number);
}

TEST_P(signal_contract, are_awaited) {
    const steps later{engine(), {[] {}, [] { raise_here(SIGTERM); }}};
    run([&]() -> coro::task<> {
        auto watched = io::signals::watch(engine(), {SIGTERM, SIGINT});
        EXPECT_TRUE(watched);
        auto first = co_await watched->next();
        EXPECT_EQ(first.value_or(0), SIGTERM);
        // Those that come while no coroutine waits are kept, one per number.
        raise_here(SIGINT);
        raise_here(SIGINT);
        auto second = co_await watched->next();
        EXPECT_EQ(second.value_or(0), SIGINT);
        auto late = co_await io::with_timeout(engine(), watched->next(), 1ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
    });
}

TEST_P(signal_contract, waiting_ends_with_its_context) {
    coro::context root{engine().ready()};
    const steps later{engine(), {[] {}, [&] { root.cancel(); }}};
    io::run(
        engine(),
        [](io::engine& e) -> coro::task<> {
            auto watched = io::signals::watch(e, {SIGUSR1});
            auto none = co_await watched->next();
            EXPECT_EQ(shown(none), "(cancelled)");
        }(engine()),
        root);
}

TEST_P(signal_contract, the_mask_is_as_before) {
    sigset_t before{};
    ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
    EXPECT_EQ(::sigismember(&before, SIGUSR1), 0);
    run([&]() -> coro::task<> {
        auto watched = io::signals::watch(engine(), {SIGUSR1});
        sigset_t within{};
        ::pthread_sigmask(SIG_SETMASK, nullptr, &within);
        EXPECT_EQ(::sigismember(&within, SIGUSR1), 1);
        co_return;
    });
    sigset_t after{};
    ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
    EXPECT_EQ(::sigismember(&after, SIGUSR1), 0);
}

TEST_P(signal_contract, the_end_of_a_child_is_one) {
    run([&]() -> coro::task<> {
        auto watched = io::signals::watch(engine(), {SIGCHLD});
        const pid_t child = ::fork();
        if (child == 0) ::_exit(7);
        auto seen = co_await io::with_timeout(engine(), watched->next(), 5s);
        EXPECT_EQ(seen.value_or(0), SIGCHLD);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(WEXITSTATUS(status), 7);
    });
}

// ----- interruptions

/// Interrupts this process again and again, whatever it waits in (EINTR), each time 50 us after it
/// has handled the last interruption. A timer that did not wait for that would stop a process for
/// good to which one costs as much, as under a sanitizer.
class interruptions {
 public:
    interruptions() {
        struct sigaction counting{};
        counting.sa_handler = [](int) {
            count_.fetch_add(1, std::memory_order_relaxed);
            interrupt_soon();
        };
        ::sigaction(SIGALRM, &counting, &before_);
        sigevent alarm{};
        alarm.sigev_notify = SIGEV_SIGNAL;
        alarm.sigev_signo = SIGALRM;
        EXPECT_EQ(::timer_create(CLOCK_MONOTONIC, &alarm, &timer_), 0);
        interrupt_soon();
    }
    interruptions(const interruptions&) = delete;
    interruptions& operator=(const interruptions&) = delete;
    ~interruptions() {
        ::timer_delete(timer_);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    static int count() { return count_; }

 private:
    static void interrupt_soon() {
        constexpr long pause_ns = 50'000;
        const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = pause_ns}};
        ::timer_settime(timer_, 0, &once, nullptr);
    }

    static inline std::atomic<int> count_ = 0;
    static inline timer_t timer_{};
    struct sigaction before_{};
};

TEST_P(signal_contract, a_storm_of_interruptions_disturbs_nothing) {
    auto [ours, theirs] = tcp_pair();
    const std::string text = pattern(2'000'000);
    const interruptions storm;
    const int before = interruptions::count();
    // A peer of plain calls on another thread: it echoes.
    std::thread peer{[fd = theirs.get(), size = text.size()] {
        for (std::size_t had = 0; had < size;) {
            const auto piece = read_exactly(fd, std::min<std::size_t>(10'000, size - had));
            if (piece.empty()) return;
            write_all(fd, piece);
            had += piece.size();
        }
    }};
    std::string back;
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        for (std::size_t at = 0; at < text.size(); at += 10'000) {
            auto sent = co_await c.send_all(std::string_view{text}.substr(at, 10'000));
            EXPECT_TRUE(sent);
            while (back.size() < at + 10'000) {
                auto got = co_await c.recv();
                EXPECT_TRUE(got) << shown(got);
                if (!got || got->empty()) co_return;
                back += got->text();
            }
        }
        auto slept = co_await io::sleep_for(engine(), 5ms);
        EXPECT_TRUE(slept);
        co_await c.close();
    });
    peer.join();
    EXPECT_TRUE(back == text);
    EXPECT_GT(interruptions::count() - before, 10);
}

}  // namespace
}  // namespace sluice::test
