// Every way from a socket to a file, on every engine: the same bytes, and a disk that is full.
#include "sluice/transfer/to_file.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using transfer::file_space;
using transfer::moved;
using transfer::to_file;

std::string shown(const result<std::uint64_t>& got) {
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
    std::string receive(to_file how, const file_space& into, moved& told, Peer peer) {
        auto [ours, theirs] = tcp_pair();
        std::thread writer{[&] { peer(std::move(theirs)); }};
        std::string said;
        run([&]() -> coro::task<> {
            net::connection from{engine(), std::move(ours)};
            auto got = co_await transfer::receive_file(how, from, into, told);
            said = shown(got);
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
        moved told;
        const auto said = receive(how, {.file = file.fd(), .reserve = reserve}, told,
                                  [&](unique_fd peer) { write_all(peer.get(), text); });
        EXPECT_EQ(said, "5000003");
        EXPECT_TRUE(file.content() == text);
        EXPECT_EQ(told.bytes(), text.size());
    });
}

TEST_P(to_file_test, small_pieces_go_where_they_belong_behind_what_is_there) {
    const std::string text = pattern(300);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file{"what was here"};
        moved told;
        const auto said = receive(how, {.file = file.fd(), .offset = 13, .reserve = reserve}, told,
                                  [&](unique_fd peer) {
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
            moved told;
            auto got = co_await transfer::receive_file(
                how, from,
                {.file = file.fd(), .most = 100'001, .expected = 100'001, .reserve = reserve},
                told);
            EXPECT_EQ(shown(got), "100001");
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

TEST_P(to_file_test, a_reset_is_told) {
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        moved told;
        const auto said =
            receive(how, {.file = file.fd(), .reserve = reserve}, told, [](unique_fd peer) {
                write_all(peer.get(), "half of a ");
                reset_at_close(peer.get());
            });
        // What came before may have been read, or lost with the reset.
        EXPECT_EQ(said, "(connection reset by peer)");
    });
}

TEST_P(to_file_test, a_file_that_may_not_grow_is_told) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{.rlim_cur = 1 << 20, .rlim_max = before.rlim_max};
    const std::string text = pattern(3 << 20);
    each_way([&](to_file how, bool reserve) {
        const temporary_file file;
        moved told;
        ::setrlimit(RLIMIT_FSIZE, &small);
        const auto said = receive(
            how, {.file = file.fd(), .reserve = reserve}, told,
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
            moved told;
            auto got = co_await io::with_timeout(
                engine(),
                transfer::receive_file(how, from, {.file = file.fd(), .reserve = reserve}, told),
                30ms);
            EXPECT_EQ(shown(got), "(the deadline passed)");
            co_await from.close();
        });
    });
}

}  // namespace
}  // namespace sluice::test
