// Connecting: made, refused, given up, and nothing left open.
#include "sluice/net/dial.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

net::address loopback_at(std::uint16_t port) {
    return *net::address::parse("127.0.0.1:" + std::to_string(port));
}

/// A port of 127.0.0.1 where a connection stays half made: the backlog is full.
class full_port {
 public:
    full_port() : listener_{listen_on_loopback(0)} {
        // The kernel drops what comes after; the last of these is not answered either.
        for (int i = 0; i < 8; ++i) {
            unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
            const auto where = loopback_at(listener_.port);
            static_cast<void>(::connect(socket.get(), where.data(), where.size()));
            waiting_.push_back(std::move(socket));
        }
    }
    [[nodiscard]] net::address where() const { return loopback_at(listener_.port); }

 private:
    listening listener_;
    std::vector<unique_fd> waiting_;
};

class dial_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, dial_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(dial_contract, gives_a_socket_that_is_connected) {
    const auto listener = listen_on_loopback();
    run([&]() -> coro::task<> {
        auto socket = co_await net::dial(engine(), loopback_at(listener.port));
        EXPECT_TRUE(socket);
        if (!socket) co_return;
        EXPECT_NE(::fcntl(socket->get(), F_GETFD) & FD_CLOEXEC, 0);
        int alive = 0;
        socklen_t size = sizeof alive;
        EXPECT_EQ(::getsockopt(socket->get(), SOL_SOCKET, SO_KEEPALIVE, &alive, &size), 0);
        EXPECT_EQ(alive, 1) << "a server that is silently gone would never be noticed";
        const unique_fd theirs{::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        net::connection c{engine(), std::move(*socket)};
        EXPECT_EQ(c.peer()->port(), listener.port);
        auto sent = co_await c.send_all("hello");
        EXPECT_EQ(shown(sent), "5");
        EXPECT_EQ(read_exactly(theirs.get(), 5), "hello");
        co_await c.close();
    });
}

TEST_P(dial_contract, is_refused_where_no_socket_listens) {
    auto listener = listen_on_loopback();
    const auto where = loopback_at(listener.port);
    listener.socket.reset();
    run([&]() -> coro::task<> {
        auto socket = co_await net::dial(engine(), where);
        EXPECT_FALSE(socket);
        EXPECT_TRUE(socket.error().is(ECONNREFUSED)) << socket.error().message();
    });
}

TEST_P(dial_contract, of_several_addresses_the_first_that_answers_is_taken) {
    auto closed = listen_on_loopback();
    const auto listener = listen_on_loopback();
    const full_port silent;
    const std::vector<net::address> where{loopback_at(closed.port), silent.where(),
                                          loopback_at(listener.port)};
    closed.socket.reset();
    run([&]() -> coro::task<> {
        auto dialed = co_await net::dial_any(engine(), where, 50ms);
        EXPECT_TRUE(dialed);
        EXPECT_EQ(dialed.reached.port(), listener.port);
        EXPECT_EQ(dialed.refusals.size(), 2U);
        if (dialed.refusals.size() != 2) co_return;
        EXPECT_EQ(dialed.refusals[0].where.port(), where[0].port());
        EXPECT_TRUE(dialed.refusals[0].why.is(ECONNREFUSED));
        EXPECT_EQ(dialed.refusals[1].why, fault::timed_out);
    });
}

TEST_P(dial_contract, where_no_address_answers_the_last_reason_is_given) {
    auto closed = listen_on_loopback();
    const std::vector<net::address> where(2, loopback_at(closed.port));
    closed.socket.reset();
    run([&]() -> coro::task<> {
        auto dialed = co_await net::dial_any(engine(), where, 10s);
        EXPECT_FALSE(dialed);
        EXPECT_EQ(dialed.refusals.size(), 2U);
        EXPECT_TRUE(dialed.why().is(ECONNREFUSED));
        auto none = co_await net::dial_any(engine(), {}, 10s);
        EXPECT_EQ(none.why(), fault::bad_address);
    });
}

TEST_P(dial_contract, is_given_up_at_a_deadline) {
    const full_port port;
    run([&]() -> coro::task<> {
        auto socket = co_await io::with_timeout(engine(), net::dial(engine(), port.where()), 5ms);
        EXPECT_FALSE(socket);
        EXPECT_EQ(socket.error(), error{fault::timed_out});
    });
}

TEST_P(dial_contract, is_given_up_with_its_context) {
    const full_port port;
    coro::context root{engine().ready()};
    const steps later{engine(), {[] {}, [&] { root.cancel(); }}};
    io::run(
        engine(),
        [](io::engine& e, net::address where) -> coro::task<> {
            auto socket = co_await net::dial(e, where);
            EXPECT_FALSE(socket);
            EXPECT_EQ(socket.error(), error{fault::cancelled});
            auto again = co_await net::dial(e, where);
            EXPECT_FALSE(again);
            EXPECT_EQ(again.error(), error{fault::cancelled});
        }(engine(), port.where()),
        root);
}

TEST_P(dial_contract, says_what_is_wrong_with_an_address) {
    run([&]() -> coro::task<> {
        // No peer can be reached by TCP at a multicast address.
        auto socket = co_await net::dial(engine(), *net::address::parse("224.0.0.1:9"));
        EXPECT_FALSE(socket);
        EXPECT_EQ(socket.error().whose(), error::category::system);
    });
}

TEST_P(dial_contract, a_hundred_at_once) {
    if (blocks()) GTEST_SKIP() << "one after the other on this engine";
    const auto listener = listen_on_loopback();
    int connected = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto call = [](io::engine& e, net::address where, int& count) -> coro::task<> {
            auto socket = co_await net::dial(e, where);
            EXPECT_TRUE(socket);
            if (socket) ++count;
        };
        for (int i = 0; i < 100; ++i)
            all.spawn(call(engine(), loopback_at(listener.port), connected));
        co_await all.join();
    });
    EXPECT_EQ(connected, 100);
}

}  // namespace
}  // namespace sluice::test
