// Registered buffers: who holds them, and what the kernel still owes of them.
#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/io/make_engine.hpp"
#include "sluice/io/ops/file.hpp"
#include "sluice/io/ops/send_registered.hpp"
#include "sluice/io/registered_buffers.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/files.hpp"
#include "tests/support/sockets.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;
using io::registered_buffer;
using io::send_registered;

// More than a peer's kernel takes before the peer reads.
constexpr std::uint32_t size = 400'000;

class registered_contract : public engine_test {
 protected:
    registered_contract() { options.registered = {.count = 2, .most = 3, .size = size}; }

    [[nodiscard]] io::registered_pool& pool() { return *engine().registered(); }
    /// A buffer with `text` at its start.
    [[nodiscard]] registered_buffer holding(std::string_view text) {
        auto taken = pool().take();
        if (!taken) throw std::runtime_error{"no buffer: " + taken.error().message()};
        std::memcpy(taken->bytes().data(), text.data(), text.size());
        return std::move(*taken);
    }
    /// Until the kernel owes nothing of any buffer; no longer than a test may take.
    coro::task<> until_home() {
        const auto deadline = io::after(io::clock::now(), 10s);
        while (pool().leased() > 0 && io::clock::now() < deadline) {
            co_await io::sleep_for(engine(), 1ms);
        }
        EXPECT_EQ(pool().leased(), 0U);
    }
};
INSTANTIATE_TEST_SUITE_P(on, registered_contract, ::testing::ValuesIn(only(io::engine_kind::uring)),
                         engine_name);

/// No more than this is taken from us before the peer reads.
void send_little_ahead(int socket) {
    const int bytes = 100'000;
    ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
}

coro::task<> wait_for(registered_buffer& b, std::string& said) {
    auto idle = co_await b.idle();
    said = shown(idle);
}

TEST_P(registered_contract, they_are_leased_up_to_a_limit_and_counted_beyond_the_registered_ones) {
    run([&]() -> coro::task<> {
        auto first = pool().take();
        auto second = pool().take();
        auto third = pool().take();
        EXPECT_TRUE(first && second && third);
        EXPECT_EQ(first->index(), 0);
        EXPECT_EQ(second->index(), 1);
        EXPECT_EQ(third->index(), -1);
        EXPECT_EQ(third->bytes().size(), size);
        EXPECT_EQ(engine().counters().unregistered, 1U);
        auto fourth = pool().take();
        EXPECT_TRUE(!fourth && fourth.error().is(ENOBUFS));
        EXPECT_EQ(pool().leased(), 3U);
        {
            const registered_buffer gone = std::move(*second);
        }
        auto again = pool().take();
        EXPECT_TRUE(again && again->index() == 1);
        co_return;
    });
    EXPECT_EQ(pool().leased(), 0U);
}

TEST_P(registered_contract, files_are_read_into_them_and_written_from_them) {
    const std::string text = pattern(size);
    const temporary_file from{text};
    const temporary_file to;
    run([&]() -> coro::task<> {
        std::vector<registered_buffer> held;
        for (std::uint64_t i = 0; i < 3; ++i) {
            held.push_back(holding(""));
            const auto& b = held.back();
            auto got = co_await io::read_at{engine(), from.fd(), b.bytes().subspan(7, 30'000),
                                            i * 30'000, b.index()};
            EXPECT_EQ(shown(got), "30000");
            auto written = co_await io::write_all_at{
                engine(), to.fd(), b.bytes().subspan(7, 30'000), i * 30'000, b.index()};
            EXPECT_EQ(shown(written), "30000");
        }
    });
    EXPECT_TRUE(to.content() == text.substr(0, 90'000));
}

TEST_P(registered_contract, a_send_is_over_at_its_result_and_the_buffer_when_the_peer_has_it) {
    const std::string text = pattern(size);
    auto [ours, theirs] = tcp_pair();
    std::string got;
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        for (int i = 0; i < 3; ++i) {
            const registered_buffer b = holding(text);
            auto sent = co_await send_registered{engine(), to.fd(), b, 1, size - 2};
            EXPECT_EQ(shown(sent), std::to_string(size - 2));
            EXPECT_EQ(engine().in_flight(), 0U);
        }
        // No handle is left, and yet no buffer is free: they hold what the peer has not read.
        EXPECT_EQ(pool().leased(), 3U);
        auto none = pool().take();
        EXPECT_TRUE(!none && none.error().is(ENOBUFS));
        while (got.size() < 3 * (size - 2) && !HasFailure()) {
            const auto more = read_what_is_there(theirs.get());
            if (more.empty()) co_await io::sleep_for(engine(), 1ms);
            got += more;
        }
        co_await until_home();
        co_await to.close();
    });
    const auto each = text.substr(1, size - 2);
    EXPECT_TRUE(got == each + each + each);
}

TEST_P(registered_contract, filling_one_again_waits_until_the_peer_has_it) {
    const std::string text = pattern(size);
    auto [ours, theirs] = tcp_pair();
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        registered_buffer b = holding(text);
        EXPECT_TRUE(b.is_idle());
        auto sent = co_await send_registered{engine(), to.fd(), b, 0, size};
        EXPECT_EQ(shown(sent), std::to_string(size));
        EXPECT_FALSE(b.is_idle());
        coro::scope waiting{co_await coro::this_context()};
        std::string said;
        waiting.spawn(wait_for(b, said));
        EXPECT_EQ(said, "");
        std::string got;
        while (got.size() < size) {
            got += read_what_is_there(theirs.get());
            co_await io::sleep_for(engine(), 1ms);
        }
        co_await waiting.join();
        EXPECT_EQ(said, "(ok)");
        EXPECT_TRUE(b.is_idle());
        EXPECT_TRUE(got == text);
        co_await to.close();
    });
}

TEST_P(registered_contract, that_wait_can_be_given_up) {
    auto [ours, theirs] = tcp_pair();
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        {
            registered_buffer b = holding(pattern(size));
            auto sent = co_await send_registered{engine(), to.fd(), b, 0, size};
            EXPECT_EQ(shown(sent), std::to_string(size));
            coro::scope waiting{co_await coro::this_context()};
            std::string said;
            waiting.spawn(wait_for(b, said));
            waiting.cancel();
            co_await waiting.join();
            EXPECT_EQ(said, "(cancelled)");
            waiting.spawn(wait_for(b, said = ""));
            co_await waiting.join();
            EXPECT_EQ(said, "(cancelled)");
            EXPECT_FALSE(b.is_idle());
        }
        // A reset drops what was not sent, and with it the pending completions.
        EXPECT_EQ(pool().leased(), 1U);
        to.set_linger_reset();
        co_await to.close();
        co_await until_home();
    });
}

TEST_P(registered_contract,
       a_send_that_waits_for_space_is_cancelled_though_the_peer_does_not_read) {
    auto [ours, theirs] = tcp_pair();
    send_little_ahead(ours.get());
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        {
            const registered_buffer b = holding(pattern(size));
            std::string said;
            // What the kernel takes before a deadline is a result; in the end it takes nothing.
            for (int i = 0; i < 100 && said != "(the deadline passed)"; ++i) {
                auto sent = co_await io::with_timeout(
                    engine(), send_registered{engine(), to.fd(), b, 0, size}, 20ms);
                said = shown(sent);
            }
            EXPECT_EQ(said, "(the deadline passed)");
        }
        EXPECT_EQ(engine().in_flight(), 0U);
        to.set_linger_reset();
        co_await to.close();
        co_await until_home();
    });
}

TEST_P(registered_contract, a_socket_that_does_not_block_is_waited_for_as_well) {
    const std::string text = pattern(size);
    auto [ours, theirs] = tcp_pair();
    send_little_ahead(ours.get());
    ASSERT_EQ(::fcntl(ours.get(), F_SETFL, O_NONBLOCK), 0);
    std::string got;
    std::thread reader{[&] { got = read_to_end(theirs.get()); }};
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        const registered_buffer b = holding(text);
        for (std::size_t done = 0; done < size && !HasFailure();) {
            auto sent = co_await send_registered{engine(), to.fd(), b, done, size - done};
            EXPECT_TRUE(sent) << shown(sent);
            done += sent.value_or(0);
        }
        co_await to.close();
    });
    reader.join();
    EXPECT_TRUE(got == text) << got.size();
}

TEST_P(registered_contract, a_socket_that_cannot_do_it_says_so) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        const registered_buffer b = holding("hello");
        auto sent = co_await send_registered{engine(), to.fd(), b, 0, 5};
        EXPECT_TRUE(!sent && sent.error().is(EOPNOTSUPP)) << shown(sent);
        co_await to.close();
    });
    EXPECT_EQ(read_to_end(theirs.get()), "");
}

TEST_P(registered_contract, an_engine_may_end_while_a_peer_has_not_read) {
    const std::string text = pattern(size);
    auto [ours, theirs] = tcp_pair();
    {
        auto mine = io::make_engine(kind(), flavoured());
        ASSERT_TRUE(mine);
        io::run(**mine, [](io::engine& e, unique_fd socket, std::string_view what) -> coro::task<> {
            net::connection to{e, std::move(socket)};
            auto b = e.registered()->take();
            std::memcpy(b->bytes().data(), what.data(), what.size());
            auto sent = co_await send_registered{e, to.fd(), *b, 0, what.size()};
            EXPECT_EQ(shown(sent), std::to_string(size));
            co_await to.close();
        }(**mine, std::move(ours), text));
        EXPECT_EQ((*mine)->registered()->leased(), 1U);
    }
    EXPECT_TRUE(read_to_end(theirs.get()) == text);
}

TEST_P(registered_contract, a_send_ends_with_the_frame_that_awaits_it_and_the_buffer_later) {
    auto [ours, theirs] = tcp_pair();
    fill(ours.get());
    run([&]() -> coro::task<> {
        net::connection to{engine(), std::move(ours)};
        coro::context root{engine().ready()};
        auto send = [](io::engine& e, int fd, registered_buffer b) -> coro::task<> {
            auto sent = co_await send_registered{e, fd, b, 0, size};
            ADD_FAILURE() << shown(sent);
        };
        auto sending = send(engine(), to.fd(), holding("x"));
        sending.set_context(root);
        auto handle = sending.release();
        handle.resume();
        for (int i = 0; i < 3; ++i) co_await io::sleep_for(engine(), 0ms);
        EXPECT_EQ(engine().in_flight(), 1U);
        handle.destroy();
        EXPECT_EQ(engine().in_flight(), 0U);
        to.set_linger_reset();
        co_await to.close();
        co_await until_home();
    });
}

}  // namespace
}  // namespace sluice::test
