// A turn of the loop: many operations in one, each gets its turn, no work where there is none.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/ops/poll.hpp"
#include "sluice/io/ops/sendfile.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/transfer/non_blocking.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class turn_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, turn_contract, ::testing::ValuesIn(every_loop()), engine_name);

/// As many descriptors as the process may have, up to what is asked; the limit is raised for that.
std::size_t descriptors_for_a_test(std::size_t wanted) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return std::min<std::size_t>(wanted, limit.rlim_cur - 200);
}

TEST_P(turn_contract, ten_thousand_operations_are_under_way_at_once) {
    // One counter behind many numbers: when it counts, all of them are readable in one turn.
    const std::size_t count = descriptors_for_a_test(10'000);
    const unique_fd counter{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::vector<unique_fd> numbers;
    for (std::size_t i = 0; i < count; ++i) {
        numbers.emplace_back(::fcntl(counter.get(), F_DUPFD_CLOEXEC, 0));
        ASSERT_TRUE(numbers.back()) << "after " << i;
        ASSERT_TRUE(engine().attach(numbers.back().get()));
    }
    std::size_t ready = 0;
    std::size_t most_in_flight = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto wait = [](io::engine& e, int fd, std::size_t& count_of) -> coro::task<> {
            auto seen = co_await io::poll{e, fd, io::interest::in};
            if (seen) ++count_of;
        };
        for (const auto& fd : numbers) all.spawn(wait(engine(), fd.get(), ready));
        co_await io::sleep_for(engine(), 0ms);
        most_in_flight = engine().in_flight();
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(counter.get(), &one, sizeof one), 8);
        co_await all.join();
    });
    EXPECT_EQ(ready, count);
    EXPECT_EQ(most_in_flight, count);
    for (const auto& fd : numbers) engine().detach(fd.get());
}

TEST_P(turn_contract, those_who_move_much_take_turns) {
    // Few enough that one of them alone would not use up a turn by their number.
    constexpr int steps_each = 12;
    const temporary_file file{"sixteen bytes of"};
    std::string order;
    auto move = [&](char name, net::connection& to) -> coro::task<> {
        for (int i = 0; i < steps_each; ++i) {
            auto sent = co_await io::sendfile{to.engine(), to.fd(), file.fd(), 0, 16};
            EXPECT_EQ(shown(sent), "16");
            order += name;
        }
    };
    run([&]() -> coro::task<> {
        auto [ours_a, theirs_a] = tcp_pair();
        auto [ours_b, theirs_b] = tcp_pair();
        for (const int fd : {ours_a.get(), ours_b.get()}) transfer::make_non_blocking(fd);
        net::connection a{engine(), std::move(ours_a)};
        net::connection b{engine(), std::move(ours_b)};
        coro::scope both{co_await coro::this_context()};
        both.spawn(move('a', a));
        both.spawn(move('b', b));
        co_await both.join();
        co_await a.close();
        co_await b.close();
    });
    EXPECT_EQ(order.size(), 2 * steps_each);
    EXPECT_LT(order.find('b'), order.rfind('a')) << order;
    EXPECT_LT(order.find('a'), order.rfind('b')) << order;
}

TEST_P(turn_contract, ten_thousand_are_cancelled_at_once) {
    const std::size_t count = descriptors_for_a_test(10'000);
    const unique_fd counter{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::vector<unique_fd> numbers;
    for (std::size_t i = 0; i < count; ++i) {
        numbers.emplace_back(::fcntl(counter.get(), F_DUPFD_CLOEXEC, 0));
        ASSERT_TRUE(engine().attach(numbers.back().get()));
    }
    std::size_t cancelled = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto wait = [](io::engine& e, int fd, std::size_t& count_of) -> coro::task<> {
            auto seen = co_await io::poll{e, fd, io::interest::in};
            if (shown(seen) == "(cancelled)") ++count_of;
        };
        for (const auto& fd : numbers) all.spawn(wait(engine(), fd.get(), cancelled));
        co_await io::sleep_for(engine(), 0ms);
        all.cancel();
        co_await all.join();
    });
    EXPECT_EQ(cancelled, count);
    for (const auto& fd : numbers) engine().detach(fd.get());
}

TEST_P(turn_contract, who_never_has_to_wait_lets_others_go_on) {
    auto [ours, theirs] = local_pair();
    bool stop = false;
    std::size_t rounds = 0;
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        coro::scope all{co_await coro::this_context()};
        // Its bytes are always there.
        auto greedy = [](net::connection& from, int peer, const bool& ended,
                         std::size_t& count) -> coro::task<> {
            while (!ended) {
                write_all(peer, "x");
                auto got = co_await from.recv();
                EXPECT_EQ(shown(got), "x");
                ++count;
            }
        };
        all.spawn(greedy(c, theirs.get(), stop, rounds));
        co_await io::sleep_for(engine(), 2ms);
        stop = true;
        co_await all.join();
        co_await c.close();
    });
    EXPECT_GT(rounds, 0U);
}

TEST_P(turn_contract, who_always_goes_on_lets_the_kernel_in) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        bool stop = false;
        coro::scope all{co_await coro::this_context()};
        // Puts itself at the end of the queue of those who may go on, for ever.
        struct again : coro::resumable {
            explicit again(io::engine& e) : engine{e} {}
            static bool await_ready() noexcept { return false; }
            void await_suspend(std::coroutine_handle<> h) noexcept {
                set_waiter(h);
                engine.ready().push(*this);
            }
            static void await_resume() noexcept {}
            io::engine& engine;
        };
        auto spin = [](io::engine& e, const bool& ended) -> coro::task<> {
            while (!ended) co_await again{e};
        };
        all.spawn(spin(engine(), stop));
        write_all(theirs.get(), "x");
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "x");
        stop = true;
        co_await all.join();
        co_await c.close();
    });
}

TEST_P(turn_contract, idle_connections_cost_no_turns) {
    std::vector<socket_pair> pairs;
    run([&]() -> coro::task<> {
        std::vector<std::unique_ptr<net::connection>> connections;
        coro::scope readers{co_await coro::this_context()};
        auto read = [](net::connection& c) -> coro::task<> {
            auto got = co_await c.recv();
            EXPECT_EQ(shown(got), "(cancelled)");
        };
        for (int i = 0; i < 200; ++i) {
            pairs.push_back(local_pair());
            connections.push_back(
                std::make_unique<net::connection>(engine(), std::move(pairs.back().ours)));
            readers.spawn(read(*connections.back()));
        }
        co_await io::sleep_for(engine(), 1ms);
        const auto turns = engine().counters().turns;
        co_await io::sleep_for(engine(), 30ms);
        EXPECT_LE(engine().counters().turns - turns, 3U);
        readers.cancel();
        co_await readers.join();
        for (auto& c : connections) co_await c->close();
    });
}

TEST_P(turn_contract, a_long_wait_takes_one_turn_and_no_processor) {
    run([&]() -> coro::task<> {
        co_await io::sleep_for(engine(), 1ms);
        timespec before{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        co_await io::sleep_for(engine(), 50ms);
        timespec after{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        const auto used =
            ((after.tv_sec - before.tv_sec) * 1'000'000'000L) + after.tv_nsec - before.tv_nsec;
        EXPECT_LT(used, 10'000'000) << "nanoseconds of processor time";
    });
}

// ----- woken by others

class wake_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, wake_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(wake_contract, ends_a_wait) {
    std::thread other{[&e = engine()] { e.wake(); }};
    engine().run_once(io::never);
    other.join();
}

TEST_P(wake_contract, before_the_wait_counts) {
    engine().wake();
    engine().run_once(io::never);
    engine().wake();
    engine().wake();
    engine().run_once(io::never);
    // A wakeup that ended a wait does not end another.
    const auto before = io::clock::now();
    engine().run_once(before + 5ms);
    engine().run_once(before + 5ms);
    engine().run_once(before + 5ms);
    EXPECT_GE(io::clock::now(), before + 5ms);
}

struct numbered : io::message {
    numbered(std::size_t from, std::size_t what, std::vector<std::vector<std::size_t>>& where)
        : message{&arrive}, sender{from}, number{what}, log{where} {}
    static void arrive(io::message& l) noexcept {
        auto& self = static_cast<numbered&>(l);
        self.log[self.sender].push_back(self.number);
    }
    std::size_t sender;
    std::size_t number;
    std::vector<std::vector<std::size_t>>& log;
};

TEST_P(wake_contract, messages_of_many_threads_arrive_in_the_order_of_each) {
    constexpr std::size_t threads = 4;
    constexpr std::size_t messages = 1000;
    std::vector<std::vector<std::size_t>> arrived(threads);
    std::vector<std::unique_ptr<numbered>> all;
    for (std::size_t i = 0; i < threads * messages; ++i) {
        all.push_back(std::make_unique<numbered>(i / messages, i % messages, arrived));
    }
    std::vector<std::thread> senders;
    for (std::size_t t = 0; t < threads; ++t) {
        senders.emplace_back([&, t, &e = engine()] {
            for (std::size_t i = 0; i < messages; ++i) e.post(*all[(t * messages) + i]);
        });
    }
    std::size_t count = 0;
    while (count < threads * messages) {
        engine().run_once(io::never);
        count = 0;
        for (const auto& log : arrived) count += log.size();
    }
    for (auto& s : senders) s.join();
    for (const auto& log : arrived) {
        EXPECT_EQ(log.size(), messages);
        EXPECT_TRUE(std::is_sorted(log.begin(), log.end()));
    }
}

TEST_P(wake_contract, a_message_ends_a_wait_for_bytes) {
    auto [ours, theirs] = local_pair();
    coro::context root{engine().ready()};
    struct cancelling : io::message {
        explicit cancelling(coro::context& c) : message{&arrive}, what{c} {}
        static void arrive(io::message& l) noexcept { static_cast<cancelling&>(l).what.cancel(); }
        coro::context& what;
    };
    cancelling stop{root};
    std::thread other;
    io::run(
        engine(),
        [&](io::engine& e, unique_fd fd) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            other = std::thread{[&] { e.post(stop); }};
            auto got = co_await c.recv();
            EXPECT_EQ(shown(got), "(cancelled)");
            co_await c.close();
        }(engine(), std::move(ours)),
        root);
    other.join();
}

}  // namespace
}  // namespace sluice::test
