// Every way from a file to a socket, on every engine: the same bytes, to readers of every kind.
#include "sluice/transfer/to_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <tuple>

#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using transfer::file_part;
using transfer::moved;
using transfer::to_socket;

class to_socket_test : public engine_test {
 protected:
    /// Sends `part` in every way, and gives what came of each.
    template <class F>
    void each_way(F f) {
        for (const auto& [name, how] : transfer::to_socket_names) {
            SCOPED_TRACE(name);
            f(how);
        }
    }
    /// What the other side read until the end, and how sending went.
    std::pair<std::string, std::string> send(to_socket how, const file_part& part, moved& told) {
        auto [ours, theirs] = tcp_pair();
        std::string got;
        std::thread reader{[&] { got = read_to_end(theirs.get()); }};
        std::string said;
        run([&]() -> coro::task<> {
            net::connection to{engine(), std::move(ours)};
            auto sent = co_await transfer::send_file(how, to, part, told);
            said = shown(sent);
            co_await to.close();
        });
        reader.join();
        return {got, said};
    }
};
INSTANTIATE_TEST_SUITE_P(on, to_socket_test, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(to_socket_test, all_of_a_file_arrives_as_it_is) {
    const std::string text = pattern(5'000'003);
    const temporary_file file{text};
    each_way([&](to_socket how) {
        moved told;
        const auto [got, said] = send(how, {file.fd(), 0, text.size()}, told);
        EXPECT_EQ(said, "(ok)");
        EXPECT_TRUE(got == text) << got.size() << " bytes";
        EXPECT_EQ(told.bytes(), text.size());
    });
}

TEST_P(to_socket_test, a_part_is_that_part_wherever_it_lies) {
    const std::string text = pattern(2'000'000);
    const temporary_file file{text};
    each_way([&](to_socket how) {
        for (const auto& [offset, length] :
             {std::pair{0U, 1U}, {4095U, 2U}, {4097U, 1'000'001U}, {1'999'999U, 1U}, {12U, 0U}}) {
            moved told;
            const auto [got, said] = send(how, {file.fd(), offset, length}, told);
            EXPECT_EQ(said, "(ok)");
            EXPECT_TRUE(got == text.substr(offset, length)) << offset << '+' << length;
        }
    });
}

TEST_P(to_socket_test, a_file_that_is_shorter_than_promised_ends_and_is_not_padded) {
    const std::string text = pattern(1'000'000);
    const temporary_file file{text};
    each_way([&](to_socket how) {
        moved told;
        const auto [got, said] = send(how, {file.fd(), 0, text.size() + 100'000}, told);
        EXPECT_EQ(said, "(the stream ended too early)");
        // A mapped page has bytes behind the end of the file, zeros that are none of it.
        EXPECT_TRUE(got.substr(0, text.size()) == text.substr(0, got.size()));
        EXPECT_LE(got.size(), text.size());
    });
}

TEST_P(to_socket_test, a_peer_that_goes_away_ends_it_with_its_error) {
    const temporary_file file{pattern(8'000'000)};
    each_way([&](to_socket how) {
        auto [ours, theirs] = tcp_pair();
        reset_at_close(theirs.get());
        run([&]() -> coro::task<> {
            net::connection to{engine(), std::move(ours)};
            theirs.reset();
            moved told;
            auto sent = co_await transfer::send_file(how, to, {file.fd(), 0, 8'000'000}, told);
            EXPECT_TRUE(!sent && (sent.error().is(ECONNRESET) || sent.error().is(EPIPE)))
                << shown(sent);
            co_await to.close();
        });
    });
}

TEST_P(to_socket_test, a_peer_that_never_reads_is_left_at_the_deadline) {
    const temporary_file file{pattern(20'000'000)};
    each_way([&](to_socket how) {
        auto [ours, theirs] = tcp_pair();
        shrink_buffers(theirs.get());
        run([&]() -> coro::task<> {
            net::connection to{engine(), std::move(ours)};
            moved told;
            auto sent = co_await io::with_timeout(
                engine(), transfer::send_file(how, to, {file.fd(), 0, 20'000'000}, told), 50ms);
            EXPECT_EQ(shown(sent), "(the deadline passed)");
            co_await to.close();
        });
    });
}

}  // namespace
}  // namespace sluice::test
