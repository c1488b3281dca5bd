// Every way from a socket to a file, on every engine: the same bytes, and a disk that is full.
#include "sluice/transfer/to_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/offload.hpp"
#include "sluice/io/run.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using transfer::byte_counter;
using transfer::file_space;
using transfer::to_file;

std::string shown_bytes(const result<std::uint64_t>& got) {
    return got ? std::to_string(*got) : "(" + got.error().message() + ")";
}

class to_file_test : public engine_test {
 protected:
    template <class F>
    void each_way(F f) {
        for (const bool reserve : {false, true}) {
            for (const auto& [name, how] : transfer::to_file_names) {
                SCOPED_TRACE(std::string{name} + (reserve ? ", reserved" : ""));
                f(how, reserve);
            }
        }
    }
    /// Receives what `peer` writes in a thread of its own.
    template <class Peer>
    std::string receive(to_file how, const file_space& into, byte_counter& counter, Peer peer) {
        auto [ours, theirs] = tcp_pair();
        std::thread writer{[&] { peer(std::move(theirs)); }};
        std::string said;
        run([&]() -> coro::task<> {
            net::connection from{engine(), std::move(ours)};
            auto got = co_await transfer::receive_file(how, from, into, counter);
            said = shown_bytes(got);
            co_await from.close();
        });
        writer.join();
        return said;
    }
};
INSTANTIATE_TEST_SUITE_P(on, to_file_test, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(to_file_test, all_that_is_sent_lies_in_the_file) {
    const std::string text = pattern(5'000'003);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        byte_counter counter;
        const auto said = receive(how, {.file = file.fd(), .reserve = reserve}, counter,
                                  [&](unique_fd peer) { write_all(peer.get(), text); });
        EXPECT_EQ(said, "5000003");
        EXPECT_TRUE(file.content() == text);
        EXPECT_EQ(counter.bytes(), text.size());
    });
}

TEST_P(to_file_test, what_arrives_is_handed_to_the_disk_meanwhile) {
    const std::string text = pattern(5'000'003);
    io::offload_pool workers{{.workers = 1}};
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        transfer::write_behind behind{file.fd(), 0, true, &workers};
        ASSERT_TRUE(behind.is_due(text.size()));
        byte_counter counter;
        const auto said = receive(how, {.file = file.fd(), .reserve = reserve, .behind = &behind},
                                  counter, [&](unique_fd peer) { write_all(peer.get(), text); });
        EXPECT_EQ(said, "5000003");
        EXPECT_TRUE(file.content() == text);
        EXPECT_FALSE(behind.is_due(text.size()));
    });
}

TEST_P(to_file_test, reservation_of_the_caller_is_left_to_the_caller) {
    const std::string text = pattern(300'007);
    constexpr std::uint64_t come = std::uint64_t{1} << 20;
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        transfer::reservation reserved{file.fd(), reserve};
        const auto is_ahead = [&] {
            struct stat now{};
            EXPECT_EQ(::fstat(file.fd(), &now), 0);
            return static_cast<std::uint64_t>(now.st_blocks) * 512 > come;
        };
        EXPECT_TRUE(reserved.cover(come, true));
        // Some file systems reserve nothing.
        const bool ahead = is_ahead();
        byte_counter counter;
        const auto said = receive(how, {.file = file.fd(), .reserved = &reserved}, counter,
                                  [&](unique_fd peer) { write_all(peer.get(), text); });
        EXPECT_EQ(said, "300007");
        EXPECT_EQ(is_ahead(), ahead);
        EXPECT_TRUE(reserved.finish(text.size()));
        EXPECT_FALSE(is_ahead());
        EXPECT_TRUE(file.content() == text);
    });
}

TEST(reservation, is_never_more_than_has_come_and_than_the_whole_file) {
    constexpr std::uint64_t mib = std::uint64_t{1} << 20;
    const temporary_file file;
    std::uint64_t claimed = 0;
    std::uint64_t limit = 8 * mib;
    transfer::reservation reserved{
        file.fd(),
        true,
        {.begin = 100, .most = 4 * mib, .claim = [&](std::uint64_t end) -> result<void> {
             if (end > limit) return failure_of(EDQUOT);
             claimed = end;
             return {};
         }}};
    EXPECT_TRUE(reserved.cover(101, true));
    EXPECT_EQ(claimed, 102U);
    EXPECT_TRUE(reserved.cover(mib + 100, true));
    EXPECT_EQ(claimed, 2 * mib + 100);
    EXPECT_TRUE(reserved.cover(2 * mib, true));
    EXPECT_EQ(claimed, 2 * mib + 100);
    EXPECT_TRUE(reserved.cover(3 * mib, true));
    EXPECT_EQ(claimed, 4 * mib);
    // Space for what has come, if not for what might.
    limit = 5 * mib;
    EXPECT_TRUE(reserved.cover(5 * mib, true));
    EXPECT_TRUE(reserved.cover(6 * mib, true).error().is(EDQUOT));
    struct stat now{};
    ASSERT_EQ(::fstat(file.fd(), &now), 0);
    EXPECT_LE(static_cast<std::uint64_t>(now.st_blocks) * 512, 5 * mib + 4096);
}

TEST_P(to_file_test, small_pieces_go_where_they_belong_behind_what_is_there) {
    const std::string text = pattern(300);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file{"what was here"};
        byte_counter counter;
        const auto said = receive(how, {.file = file.fd(), .offset = 13, .reserve = reserve},
                                  counter, [&](unique_fd peer) {
                                      for (const char c : text) write_all(peer.get(), {&c, 1});
                                  });
        EXPECT_EQ(said, "300");
        EXPECT_EQ(file.content(), "what was here" + text);
    });
}

TEST_P(to_file_test, no_more_than_was_asked_is_taken_from_the_socket) {
    const std::string text = pattern(200'000);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        auto [ours, theirs] = tcp_pair();
        std::thread writer{[&, peer = std::move(theirs)] { write_all(peer.get(), text); }};
        run([&]() -> coro::task<> {
            net::connection from{engine(), std::move(ours)};
            byte_counter counter;
            auto got = co_await transfer::receive_file(
                how, from,
                {.file = file.fd(), .most = 100'001, .expected = 100'001, .reserve = reserve},
                counter);
            EXPECT_EQ(shown_bytes(got), "100001");
            std::string rest;
            for (;;) {
                auto more = co_await from.recv();
                if (!more || more->empty()) break;
                rest += more->text();
            }
            EXPECT_TRUE(file.content() + rest == text);
            co_await from.close();
        });
        writer.join();
    });
}

TEST_P(to_file_test, a_reset_is_reported) {
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        byte_counter counter;
        const auto said =
            receive(how, {.file = file.fd(), .reserve = reserve}, counter, [](unique_fd peer) {
                write_all(peer.get(), "half of a ");
                reset_at_close(peer.get());
            });
        // What came before may have been read, or lost with the reset.
        EXPECT_EQ(said, "(connection reset by peer)");
    });
}

TEST_P(to_file_test, a_file_that_may_not_grow_is_reported) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    const std::string text = pattern(3 << 20);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        byte_counter counter;
        ::setrlimit(RLIMIT_FSIZE, &small);
        const auto said = receive(
            how, {.file = file.fd(), .reserve = reserve}, counter,
            [&](unique_fd peer) { ::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL); });
        ::setrlimit(RLIMIT_FSIZE, &before);
        EXPECT_EQ(said, "(file too large)");
    });
}

TEST_P(to_file_test, a_peer_that_stops_is_left_at_the_deadline) {
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        auto [ours, theirs] = tcp_pair();
        write_all(theirs.get(), "half of a ");
        run([&]() -> coro::task<> {
            net::connection from{engine(), std::move(ours)};
            byte_counter counter;
            auto got = co_await io::with_timeout(
                engine(),
                transfer::receive_file(how, from, {.file = file.fd(), .reserve = reserve}, counter),
                30ms);
            EXPECT_EQ(shown_bytes(got), "(the deadline passed)");
            co_await from.close();
        });
    });
}

TEST_P(to_file_test, a_file_that_cannot_be_written_is_reported_while_the_peer_is_silent) {
    const temporary_file file;
    const unique_fd deaf{
        ::open(("/proc/self/fd/" + std::to_string(file.fd())).c_str(), O_RDONLY | O_CLOEXEC)};
    ASSERT_TRUE(deaf);
    // As much as any way wants before it writes; then nothing, and not the end.
    const std::string text = pattern(1 << 20);
    each_way([&](to_file how, bool reserve) {
        auto [ours, theirs] = tcp_pair();
        std::thread writer{
            [&, peer = theirs.get()] { ::send(peer, text.data(), text.size(), MSG_NOSIGNAL); }};
        run([&]() -> coro::task<> {
            net::connection from{engine(), std::move(ours)};
            byte_counter counter;
            auto got = co_await io::with_timeout(
                engine(),
                transfer::receive_file(how, from, {.file = deaf.get(), .reserve = reserve},
                                       counter),
                10s);
            EXPECT_EQ(shown_bytes(got), "(bad file descriptor)");
            from.set_linger_reset();
            co_await from.close();
        });
        writer.join();
    });
}

TEST_P(to_file_test, all_of_it_lies_there_when_it_comes_in_bursts) {
    const std::string text = pattern(1'500'001);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        byte_counter counter;
        const auto said = receive(
            how, {.file = file.fd(), .offset = 5, .expected = text.size(), .reserve = reserve},
            counter, [&](unique_fd peer) {
                for (std::size_t at = 0, size = 1; at < text.size(); at += size, size *= 3) {
                    write_all(peer.get(), std::string_view{text}.substr(at, size));
                    std::this_thread::yield();
                }
            });
        EXPECT_EQ(said, std::to_string(text.size()));
        EXPECT_TRUE(file.content() == std::string(5, '\0') + text);
    });
}

class registered_to_file_test : public to_file_test {};
INSTANTIATE_TEST_SUITE_P(on, registered_to_file_test,
                         ::testing::ValuesIn(only(io::engine_kind::uring)), engine_name);

TEST_P(registered_to_file_test, it_does_with_other_buffers_and_with_none) {
    const std::string text = pattern(1'000'001);
    for (const auto& [count, most] : {std::pair{8U, 8U}, {1U, 8U}, {0U, 8U}, {1U, 1U}, {0U, 0U}}) {
        io::engine_options few = flavoured();
        few.registered = {.count = count, .most = most, .size = 50'000};
        auto mine = io::make_engine(kind(), few);
        ASSERT_TRUE(mine);
        const temporary_file file;
        auto [ours, theirs] = tcp_pair();
        std::thread writer{[&, peer = std::move(theirs)] { write_all(peer.get(), text); }};
        io::run(**mine, [](io::engine& e, unique_fd socket, int into) -> coro::task<> {
            net::connection from{e, std::move(socket)};
            byte_counter counter;
            auto got = co_await transfer::receive_file(to_file::uring_recv_write, from,
                                                       {.file = into}, counter);
            EXPECT_EQ(shown_bytes(got), "1000001");
            co_await from.close();
        }(**mine, std::move(ours), file.fd()));
        writer.join();
        EXPECT_TRUE(file.content() == text);
        EXPECT_EQ((*mine)->registered()->leased(), 0U);
        EXPECT_EQ((*mine)->counters().unregistered,
                  most < 2 ? most - count : 2 - std::min(count, 2U));
    }
}

}  // namespace
}  // namespace sluice::test
