// The loads against servers of a few lines, whose faults are known.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "sluice/lab/load/bytes.hpp"
#include "sluice/lab/load/exchange.hpp"
#include "sluice/lab/load/outcome.hpp"
#include "sluice/lab/load/pacing.hpp"
#include "sluice/net/address.hpp"
#include "sluice/net/listener.hpp"

namespace {

using namespace std::chrono_literals;
using sluice::histogram;
using sluice::unique_fd;
using sluice::lab::exchange_options;
using sluice::lab::pacing;
using sluice::lab::time_point;

/// One thread that serves sockets with poll(2), and can be made to stand still.
class small_server {
 public:
    /// `answer` gets what came on one socket and that socket; false closes it.
    using answer = std::function<bool(int, const char*, std::size_t)>;

    /// Stands still for `stall` at the beginning of every `period`.
    explicit small_server(answer how, std::chrono::milliseconds stall = 0ms,
                          std::chrono::milliseconds period = 0ms)
        : answer_{std::move(how)}, stall_{stall}, period_{period} {
        auto listener = sluice::net::listen(sluice::net::address::loopback(0));
        if (!listener) return;
        listener_ = std::move(*listener);
        where_ = *sluice::net::address::local_of(listener_.get());
        thread_ = std::thread{[this] { serve(); }};
    }
    small_server(const small_server&) = delete;
    small_server& operator=(const small_server&) = delete;
    ~small_server() {
        ends_ = true;
        if (thread_.joinable()) thread_.join();
    }

    [[nodiscard]] const sluice::net::address& where() const noexcept { return where_; }

 private:
    void serve() {
        std::vector<unique_fd> peers;
        auto next = std::chrono::steady_clock::now();
        while (!ends_) {
            if (stall_ > 0ms && std::chrono::steady_clock::now() >= next) {
                next += period_;
                std::this_thread::sleep_for(stall_);
            }
            std::vector<pollfd> all{{.fd = listener_.get(), .events = POLLIN, .revents = 0}};
            for (const auto& each : peers) {
                all.push_back({.fd = each.get(), .events = POLLIN, .revents = 0});
            }
            if (::poll(all.data(), all.size(), 1) <= 0) continue;
            for (std::size_t i = 1; i < all.size(); ++i) {
                if (all[i].revents != 0 && !take(all[i].fd)) peers[i - 1].reset();
            }
            std::erase_if(peers, [](const unique_fd& each) { return !each; });
            if (all[0].revents != 0) {
                peers.emplace_back(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            }
        }
    }
    bool take(int socket) const {
        std::array<char, 65536> buffer{};
        const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got < 0) return errno == EAGAIN;
        return got > 0 && answer_(socket, buffer.data(), static_cast<std::size_t>(got));
    }

    answer answer_;
    unique_fd listener_;
    sluice::net::address where_;
    std::chrono::milliseconds stall_;
    std::chrono::milliseconds period_;
    std::atomic<bool> ends_ = false;
    std::thread thread_;
};

bool echo(int socket, const char* data, std::size_t size) {
    return ::send(socket, data, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
}

exchange_options options_for(const small_server& server) {
    exchange_options o;
    o.where = server.where();
    o.request = std::string(64, 'x');
    o.answer_size = o.request.size();
    o.connections = 4;
    o.warmup = 0.02;
    o.measured = 0.1;
    o.sleeps = true;
    return o;
}

TEST(pacing, messages_are_due_at_their_rate_whatever_became_of_those_before) {
    const time_point start{};
    pacing four{start, 4};
    EXPECT_TRUE(four.is_due(start));
    EXPECT_EQ(four.take(), start);
    EXPECT_FALSE(four.is_due(start + 249ms));
    EXPECT_TRUE(four.is_due(start + 250ms));
    EXPECT_EQ(four.take(), start + 250ms);
    // Taken two seconds late, they were due when they were due.
    for (int i = 2; i < 10; ++i) {
        EXPECT_TRUE(four.is_due(start + 3s));
        EXPECT_EQ(four.take(), start + i * 250ms);
    }
    EXPECT_EQ(four.taken(), 10U);
}

TEST(pacing, a_stall_is_seen_by_every_message_that_was_due_in_it) {
    // Virtual time: a server that answers at once, but not in the first 100 ms of each second.
    pacing messages{time_point{}, 10'000};
    histogram latencies;
    for (int i = 0; i < 100'000; ++i) {
        const auto due = messages.take().time_since_epoch();
        const auto in_second = due % 1s;
        const auto late = in_second < 100ms ? 100ms - in_second : 0ns;
        latencies.add(static_cast<std::uint64_t>(std::chrono::nanoseconds{late}.count()));
    }
    // A tenth of all is late, and evenly so: p99 is 90 ms, p95 50 ms, p90 nothing.
    EXPECT_NEAR(static_cast<double>(latencies.at(0.99)), 90e6, 1e6);
    EXPECT_NEAR(static_cast<double>(latencies.at(0.95)), 50e6, 1e6);
    EXPECT_LE(latencies.at(0.9), 1'000'000U);
}

TEST(exchange, open_loop_percentiles_show_a_planted_stall_as_arithmetic_has_it) {
    // 100 ms of each second: a tenth of all that are due are late, evenly from 100 ms down to none.
    // A machine that is busy with other things adds stalls of its own and moves the planted ones
    // over the edges of what is measured, so there are a few attempts to agree within 10 %; but
    // none may hide the stall.
    constexpr int attempts = 5;
    std::string seen;
    for (int i = 0; i < attempts; ++i) {
        const small_server server{echo, 100ms, 1000ms};
        auto o = options_for(server);
        o.rate = 5000;
        o.measured = 1;
        const auto got = sluice::lab::exchange(o);
        ASSERT_TRUE(got) << got.error().what;
        EXPECT_EQ(got->errors, 0U);
        EXPECT_NEAR(static_cast<double>(got->latencies.count()), 5000, 1) << "late ones included";
        const auto p99 = static_cast<double>(got->latencies.at(0.99)) / 1e6;
        const auto p95 = static_cast<double>(got->latencies.at(0.95)) / 1e6;
        ASSERT_GT(p99, 70) << "the stall is hidden";
        ASSERT_GT(p95, 30) << "the stall is hidden";
        if (p99 > 81 && p99 < 99 && p95 > 45 && p95 < 55) return;
        seen += std::to_string(p99) + " and " + std::to_string(p95) + " ms; ";
    }
    GTEST_SKIP() << "too busy a machine: p99 and p95 should be 90 and 50 ms, and were " << seen;
}

TEST(exchange, closed_loop_counts_every_answer_and_each_engine_does_so) {
    std::atomic<std::uint64_t> bytes = 0;
    small_server server{[&bytes](int socket, const char* data, std::size_t size) {
        bytes += size;
        return echo(socket, data, size);
    }};
    for (const auto engine :
         {sluice::lab::load_engine::epoll, sluice::lab::load_engine::automatic}) {
        auto o = options_for(server);
        o.sleeps = false;
        o.warmup = 0;
        o.engine = engine;
        bytes = 0;
        const auto got = sluice::lab::exchange(o);
        ASSERT_TRUE(got) << got.error().what;
        EXPECT_GT(got->amount, 0);
        EXPECT_LE(got->amount * 64, static_cast<double>(bytes.load()));
        EXPECT_GE(got->amount * 64 + 4 * 64 * 2, static_cast<double>(bytes.load()));
        EXPECT_GT(got->seconds, 0.09);
    }
}

TEST(exchange, a_connection_for_each_question_and_wrong_answers_are_counted) {
    std::atomic<int> asked = 0;
    small_server server{[&asked](int socket, const char*, std::size_t) {
        // The first is learned; of those after it every other is refused.
        const std::string text = asked++ % 2 == 0 ? "89\n" : "busy\n";
        return echo(socket, text.data(), text.size());
    }};
    const auto answer = sluice::lab::learn_answer(server.where(), "10\n");
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, "89\n");
    auto o = options_for(server);
    o.request = "10\n";
    o.answer = *answer;
    o.reconnect = true;
    o.warmup = 0;
    const auto got = sluice::lab::exchange(o);
    ASSERT_TRUE(got) << got.error().what;
    ASSERT_GT(got->amount, 10);
    EXPECT_NEAR(static_cast<double>(got->errors), got->amount / 2, 5);
}

TEST(exchange, a_server_that_goes_away_is_a_sentence_and_not_a_figure) {
    small_server server{[](int, const char*, std::size_t) { return false; }};
    const auto got = sluice::lab::exchange(options_for(server));
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().what.find("the server closed"), std::string::npos) << got.error().what;
}

TEST(download, every_byte_is_counted_and_a_missing_one_is_an_error) {
    // A client that connects says nothing, so the server's turn comes with the end of the stream:
    // here a thread that sends to each client.
    auto listener = sluice::net::listen(sluice::net::address::loopback(0));
    ASSERT_TRUE(listener);
    const auto where = *sluice::net::address::local_of(listener->get());
    std::thread giver{[&listener] {
        const std::string text(100'000, 'd');
        for (int i = 0; i < 4; ++i) {
            const unique_fd peer{::accept4(listener->get(), nullptr, nullptr, SOCK_CLOEXEC)};
            static_cast<void>(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL));
        }
    }};
    const auto whole = sluice::lab::download({.where = where, .clients = 2, .size = 100'000});
    const auto half = sluice::lab::download({.where = where, .clients = 2, .size = 200'000});
    giver.join();
    ASSERT_TRUE(whole) << whole.error().what;
    EXPECT_EQ(whole->amount, 200'000);
    EXPECT_EQ(whole->errors, 0U);
    ASSERT_TRUE(half) << half.error().what;
    EXPECT_EQ(half->errors, 2U);
}

TEST(upload, all_bytes_arrive_and_the_end_is_waited_for) {
    std::atomic<std::uint64_t> bytes = 0;
    small_server server{[&bytes](int, const char*, std::size_t size) {
        bytes += size;
        return true;
    }};
    const auto got =
        sluice::lab::upload({.where = server.where(), .clients = 3, .size = 1'000'000});
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(got->amount, 3'000'000);
    EXPECT_EQ(bytes, 3'000'000U);
    EXPECT_EQ(got->errors, 0U);
}

TEST(outcome, what_a_load_prints_is_read_again) {
    sluice::lab::outcome o;
    o.seconds = 1.25;
    o.whole_seconds = 2.5;
    o.amount = 123'456'789'012;
    o.errors = 3;
    o.idle = 0.5;
    o.load = {.cpu = 0.75, .waited = 0.125, .switches = 17, .calls = std::nullopt};
    o.server = sluice::lab::usage{.cpu = 2, .waited = 0, .switches = std::nullopt, .calls = 9};
    o.latencies.add(1000, 5);
    o.latencies.add(2'000'000);
    const auto again = sluice::lab::read_outcome(to_text(o));
    ASSERT_TRUE(again);
    EXPECT_EQ(to_text(*again), to_text(o));
    EXPECT_EQ(again->amount, o.amount);
    EXPECT_EQ(again->server->calls, 9);
    EXPECT_FALSE(again->server->switches);
}

TEST(outcome, what_is_torn_or_foreign_is_not_read) {
    const auto text = to_text(sluice::lab::outcome{});
    for (std::size_t end = 0; end + 4 < text.size(); ++end) {
        EXPECT_FALSE(sluice::lab::read_outcome(text.substr(0, end))) << end;
    }
    EXPECT_FALSE(sluice::lab::read_outcome("seconds one\nend\n"));
    EXPECT_FALSE(sluice::lab::read_outcome("years 1\nend\n"));
    EXPECT_FALSE(sluice::lab::read_outcome("cell 5\nend\n"));
    EXPECT_FALSE(sluice::lab::read_outcome("errors -1\nend\n"));
    EXPECT_FALSE(sluice::lab::read_outcome("turns 1e30\nend\n"));
}

}  // namespace
