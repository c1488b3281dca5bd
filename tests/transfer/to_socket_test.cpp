// Every way from a file to a socket, on every engine: the same bytes, to readers of every kind.
#include "sluice/transfer/to_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/os/linux_kernel.hpp"
#include "sluice/transfer/send_choice.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using transfer::byte_counter;
using transfer::file_part;
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
    std::pair<std::string, std::string> send(to_socket how, const file_part& part,
                                             byte_counter& counter) {
        auto [ours, theirs] = tcp_pair();
        std::string got;
        std::thread reader{[&] { got = read_to_end(theirs.get()); }};
        std::string said;
        run([&]() -> coro::task<> {
            net::connection to{engine(), std::move(ours)};
            auto sent = co_await transfer::send_file(how, to, part, counter);
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
        byte_counter counter;
        const auto [got, said] = send(how, {file.fd(), 0, text.size()}, counter);
        EXPECT_EQ(said, "(ok)");
        EXPECT_TRUE(got == text) << got.size() << " bytes";
        EXPECT_EQ(counter.bytes(), text.size());
    });
}

/// Linux that counts pipes, or has none.
class pipe_counter final : public os::linux_kernel {
 public:
    explicit pipe_counter(bool has_pipes) noexcept : has_pipes_{has_pipes} {}
    int pipe2(std::array<int, 2>& ends, int flags) noexcept override {
        if (!has_pipes_) return -EMFILE;
        ++made;
        return linux_kernel::pipe2(ends, flags);
    }
    std::atomic<int> made = 0;

 private:
    bool has_pipes_;
};

/// As if splice had cost the least on this machine so far, and the thread began a turn.
void make_splice_the_cheapest() {
    // The turn that an earlier test has begun ends.
    transfer::send_turn_of_thread(transfer::peer_kind::loopback).add(std::uint64_t{32} << 20);
    auto& costs = transfer::send_costs_of(transfer::peer_kind::loopback);
    for (std::size_t i = 0; i < transfer::send_candidates.size(); ++i) {
        const bool is_splice = transfer::send_candidates.at(i) == to_socket::splice;
        costs.add(i, std::uint64_t{1} << 30, is_splice ? 1'000'000 : 1'000'000'000);
    }
}

TEST_P(to_socket_test,
       auto_goes_through_a_pipe_where_that_costs_the_least_and_without_where_none_is) {
    make_splice_the_cheapest();
    const std::string text = pattern(20'000'003);
    const temporary_file file{text};
    for (const bool has_pipes : {true, false}) {
        pipe_counter linux{has_pipes};
        const os::kernel_in_place in_place{linux};
        byte_counter counter;
        const auto [got, said] = send(to_socket::automatic, {file.fd(), 0, text.size()}, counter);
        EXPECT_EQ(said, "(ok)");
        EXPECT_TRUE(got == text) << got.size() << " bytes";
        EXPECT_EQ(linux.made, has_pipes ? 1 : 0);
    }
}

TEST_P(to_socket_test, auto_takes_so_many_pipes_and_no_more) {
    if (engine().blocks()) GTEST_SKIP() << "one transfer at a time";
    make_splice_the_cheapest();
    constexpr std::size_t transfers = 40;
    constexpr int most = 32;
    const std::string text = pattern(2'000'000);
    const temporary_file file{text};
    pipe_counter linux{true};
    const os::kernel_in_place in_place{linux};
    std::vector<unique_fd> peers;
    std::vector<std::unique_ptr<net::connection>> connections;
    run([&]() -> coro::task<> {
        byte_counter counter;
        coro::scope all{co_await coro::this_context()};
        const auto send_one = [&](net::connection& to) -> coro::task<> {
            auto sent = co_await transfer::send_file(to_socket::automatic, to,
                                                     {file.fd(), 0, text.size()}, counter);
            EXPECT_EQ(shown(sent), "(ok)");
            co_await to.close();
        };
        for (std::size_t i = 0; i < transfers; ++i) {
            auto [ours, theirs] = tcp_pair();
            // Of all that is sent, the sockets hold a part.
            constexpr int few = 65'536;
            ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &few, sizeof few);
            ::setsockopt(theirs.get(), SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
            peers.push_back(std::move(theirs));
            connections.push_back(std::make_unique<net::connection>(engine(), std::move(ours)));
            all.spawn(send_one(*connections.back()));
        }
        // Each has begun, and waits for its peer.
        while (linux.made < most) co_await io::sleep_for(engine(), 0ms);
        for (int i = 0; i < 100; ++i) co_await io::sleep_for(engine(), 0ms);
        EXPECT_EQ(linux.made, most);
        std::thread reader{[&] {
            for (const auto& each : peers) EXPECT_TRUE(read_to_end(each.get()) == text);
        }};
        co_await all.join();
        reader.join();
    });
}

TEST_P(to_socket_test, a_part_is_that_part_wherever_it_lies) {
    const std::string text = pattern(2'000'000);
    const temporary_file file{text};
    each_way([&](to_socket how) {
        for (const auto& [offset, length] :
             {std::pair{0U, 1U}, {4095U, 2U}, {4097U, 1'000'001U}, {1'999'999U, 1U}, {12U, 0U}}) {
            byte_counter counter;
            const auto [got, said] = send(how, {file.fd(), offset, length}, counter);
            EXPECT_EQ(said, "(ok)");
            EXPECT_TRUE(got == text.substr(offset, length)) << offset << '+' << length;
        }
    });
}

TEST_P(to_socket_test, a_file_that_is_shorter_than_promised_ends_and_is_not_padded) {
    const std::string text = pattern(1'000'000);
    const temporary_file file{text};
    each_way([&](to_socket how) {
        byte_counter counter;
        const auto [got, said] = send(how, {file.fd(), 0, text.size() + 100'000}, counter);
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
            byte_counter counter;
            auto sent = co_await transfer::send_file(how, to, {file.fd(), 0, 8'000'000}, counter);
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
            byte_counter counter;
            auto sent = co_await io::with_timeout(
                engine(), transfer::send_file(how, to, {file.fd(), 0, 20'000'000}, counter), 50ms);
            EXPECT_EQ(shown(sent), "(the deadline passed)");
            co_await to.close();
        });
    });
}

TEST_P(to_socket_test, a_peer_that_reads_late_has_all_of_it) {
    const std::string text = pattern(20'000'000);
    const temporary_file file{text};
    each_way([&](to_socket how) {
        auto [ours, theirs] = tcp_pair();
        byte_counter counter;
        std::string got;
        run([&]() -> coro::task<> {
            net::connection to{engine(), std::move(ours)};
            // As much as is sent before the peer reads.
            auto sent = co_await io::with_timeout(
                engine(), transfer::send_file(how, to, {file.fd(), 0, text.size()}, counter), 20ms);
            EXPECT_EQ(shown(sent), "(the deadline passed)");
            std::thread reader{[&] { got = read_to_end(theirs.get()); }};
            // The bytes of one step that was cut off may have gone without having been counted.
            sent = co_await transfer::send_file(how, to, {file.fd(), 0, text.size()}, counter);
            EXPECT_EQ(shown(sent), "(ok)");
            co_await to.close();
            reader.join();
        });
        EXPECT_GE(got.size(), text.size());
        EXPECT_TRUE(got.ends_with(text)) << got.size();
    });
}

TEST_P(to_socket_test, a_file_that_cannot_be_read_is_reported_and_nothing_is_sent) {
    const temporary_file file{pattern(2'000'000)};
    const unique_fd blind{
        ::open(("/proc/self/fd/" + std::to_string(file.fd())).c_str(), O_WRONLY | O_CLOEXEC)};
    ASSERT_TRUE(blind);
    each_way([&](to_socket how) {
        byte_counter counter;
        const auto [got, said] = send(how, {blind.get(), 0, 2'000'000}, counter);
        EXPECT_THAT(said, ::testing::AnyOf("(bad file descriptor)", "(permission denied)"));
        EXPECT_EQ(got, "");
    });
}

TEST_P(to_socket_test, a_socket_that_is_no_tcp_does_for_whatever_can_do_without) {
    const std::string text = pattern(1'000'000);
    const temporary_file file{text};
    for (const auto how : {to_socket::read_send, to_socket::uring_read_send_zc}) {
        SCOPED_TRACE(to_text(how));
        auto [ours, theirs] = local_pair();
        std::string got;
        std::thread reader{[&] { got = read_to_end(theirs.get()); }};
        run([&]() -> coro::task<> {
            net::connection to{engine(), std::move(ours)};
            byte_counter counter;
            auto sent = co_await transfer::send_file(how, to, {file.fd(), 0, text.size()}, counter);
            EXPECT_EQ(shown(sent), "(ok)");
            co_await to.close();
        });
        reader.join();
        EXPECT_TRUE(got == text) << got.size();
    }
}

class registered_to_socket_test : public to_socket_test {
 protected:
    static constexpr auto how = to_socket::uring_read_send_zc;

    /// So many at a time, each on a connection of its own: all of it arrives.
    void send_side_by_side(const std::string& text, std::size_t many) {
        const temporary_file file{text};
        std::vector<socket_pair> pairs(many);
        std::vector<std::string> got(many);
        std::vector<std::thread> readers;
        for (std::size_t i = 0; i < many; ++i) {
            pairs[i] = tcp_pair();
            readers.emplace_back([&, i] { got[i] = read_to_end(pairs[i].theirs.get()); });
        }
        run([&]() -> coro::task<> {
            coro::scope all{co_await coro::this_context()};
            auto one = [](io::engine& e, unique_fd socket, file_part part) -> coro::task<> {
                net::connection to{e, std::move(socket)};
                byte_counter counter;
                auto sent = co_await transfer::send_file(how, to, part, counter);
                EXPECT_EQ(shown(sent), "(ok)");
                co_await to.close();
            };
            for (auto& pair : pairs) {
                all.spawn(one(engine(), std::move(pair.ours), {file.fd(), 0, text.size()}));
            }
            co_await all.join();
            co_await until_home();
        });
        for (auto& reader : readers) reader.join();
        for (const auto& each : got) EXPECT_TRUE(each == text) << each.size();
    }
    /// Until the kernel owes nothing of any buffer; no longer than a test may take.
    coro::task<> until_home() {
        const auto deadline = io::after(io::clock::now(), 10s);
        while (engine().registered()->leased() > 0 && io::clock::now() < deadline) {
            co_await io::sleep_for(engine(), 1ms);
        }
        EXPECT_EQ(engine().registered()->leased(), 0U);
    }
};
INSTANTIATE_TEST_SUITE_P(on, registered_to_socket_test,
                         ::testing::ValuesIn(only(io::engine_kind::uring)), engine_name);

TEST_P(registered_to_socket_test, all_buffers_are_home_when_the_peers_have_it) {
    send_side_by_side(pattern(3'000'001), 3);
    EXPECT_EQ(engine().counters().unregistered, 0U);
}

TEST_P(registered_to_socket_test, some_go_with_buffers_that_are_not_registered) {
    options.registered = {.count = 3, .most = 100, .size = 50'000};
    send_side_by_side(pattern(1'000'001), 5);
    EXPECT_GE(engine().counters().unregistered, 7U);
}

TEST_P(registered_to_socket_test, some_go_without_where_there_is_none_for_them) {
    options.registered = {.count = 3, .most = 5, .size = 50'000};
    send_side_by_side(pattern(1'000'001), 5);
    EXPECT_LE(engine().counters().unregistered, 1000U);
}

TEST_P(registered_to_socket_test, one_buffer_alone_is_no_use) {
    options.registered = {.count = 1, .most = 1, .size = 50'000};
    send_side_by_side(pattern(1'000'001), 1);
}

TEST_P(registered_to_socket_test, what_a_peer_never_read_is_freed_by_the_reset) {
    const temporary_file file{pattern(20'000'000)};
    auto [ours, theirs] = tcp_pair();
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        byte_counter counter;
        auto sent = co_await io::with_timeout(
            engine(), transfer::send_file(how, to, {file.fd(), 0, 20'000'000}, counter), 20ms);
        EXPECT_EQ(shown(sent), "(the deadline passed)");
        EXPECT_GE(engine().registered()->leased(), 2U);
        to.set_linger_reset();
        co_await to.close();
        co_await until_home();
    });
}

}  // namespace
}  // namespace sluice::test
