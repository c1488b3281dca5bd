// Accepting: every client, in order, and through shortages without spinning or giving up.
#include "sluice/net/listener.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/dial.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class listener_contract : public engine_test {
 protected:
    std::unique_ptr<net::listener> open(io::accepting how = io::accepting::ahead) {
        auto socket = net::listen(*net::address::parse("127.0.0.1:0"));
        EXPECT_TRUE(socket);
        return std::make_unique<net::listener>(engine(), std::move(*socket), how);
    }
    static std::uint16_t port_of(const net::listener& l) { return l.local()->port(); }
};
INSTANTIATE_TEST_SUITE_P(on, listener_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(listener_contract, accepts_who_is_there_and_who_comes) {
    auto listener = open();
    const auto early = connect_to(port_of(*listener));
    unique_fd late;
    steps later{engine()};
    run([&]() -> coro::task<> {
        auto first = co_await listener->accept();
        EXPECT_TRUE(first);
        write_all(early.get(), "early");
        EXPECT_EQ(read_exactly(first->get(), 5), "early");
        later.begin({[] {}, [&] { late = connect_to(port_of(*listener)); }});
        auto second = co_await listener->accept();
        EXPECT_TRUE(second);
        write_all(late.get(), "late");
        EXPECT_EQ(read_exactly(second->get(), 4), "late");
        co_await listener->close();
    });
    EXPECT_EQ(listener->counted().accepted, 2U);
}

TEST_P(listener_contract, says_who_has_come) {
    // An abstract name is one of the whole machine, on which other engines are tried meanwhile.
    const std::string name = "unix:@sluice-says-who-has-come-" + std::to_string(::getpid());
    for (const std::string_view where : {"127.0.0.1:0", "[::1]:0", name.c_str()}) {
        for (const auto how : {io::accepting::ahead, io::accepting::one_by_one}) {
            auto socket = net::listen(*net::address::parse(where));
            if (!socket && where.starts_with('[')) continue;  // a machine without IPv6
            ASSERT_TRUE(socket) << socket.error().message();
            net::listener listener{engine(), std::move(*socket), how};
            const auto to = listener.local();
            run([&]() -> coro::task<> {
                for (int i = 0; i < 2; ++i) {
                    const unique_fd peer{::socket(to->family(), SOCK_STREAM | SOCK_CLOEXEC, 0)};
                    EXPECT_EQ(::connect(peer.get(), to->data(), to->size()), 0);
                    auto accepted = co_await listener.accept();
                    EXPECT_TRUE(accepted);
                    const auto said = listener.peer_of(accepted->get());
                    const auto own = to->is_unix() ? net::address::peer_of(accepted->get())
                                                   : net::address::local_of(peer.get());
                    EXPECT_TRUE(said && own);
                    EXPECT_EQ(said->to_string(), own->to_string());
                }
                co_await listener.close();
            });
        }
    }
}

TEST_P(listener_contract, gives_sockets_that_no_child_inherits) {
    auto listener = open();
    const auto peer = connect_to(port_of(*listener));
    run([&]() -> coro::task<> {
        auto socket = co_await listener->accept();
        EXPECT_TRUE(socket);
        EXPECT_NE(::fcntl(socket->get(), F_GETFD) & FD_CLOEXEC, 0);
        co_await listener->close();
    });
}

TEST_P(listener_contract, accepts_all_of_a_crowd) {
    // More than a stream keeps in store, and in one turn.
    constexpr int crowd = 600;
    for (const auto how : {io::accepting::ahead, io::accepting::one_by_one}) {
        auto listener = open(how);
        std::vector<unique_fd> peers;
        for (int i = 0; i < crowd; ++i) peers.push_back(connect_to(port_of(*listener)));
        std::vector<unique_fd> accepted;
        run([&]() -> coro::task<> {
            while (accepted.size() < crowd) {
                auto socket = co_await io::with_timeout(engine(), listener->accept(), 5s);
                EXPECT_TRUE(socket) << "after " << accepted.size();
                if (!socket) break;
                accepted.push_back(std::move(*socket));
            }
            auto none = co_await io::with_timeout(engine(), listener->accept(), 1ms);
            EXPECT_FALSE(none);
            co_await listener->close();
        });
        for (const auto& peer : peers) write_all(peer.get(), "x");
        for (const auto& socket : accepted) EXPECT_EQ(read_exactly(socket.get(), 1), "x");
        EXPECT_EQ(listener->counted().accepted, crowd);
    }
}

class listener_on_a_loop : public listener_contract {};
INSTANTIATE_TEST_SUITE_P(on, listener_on_a_loop, ::testing::ValuesIn(every_loop()), engine_name);

// A turn beside busy clients may take milliseconds, so that a connection per turn is a queue.
TEST_P(listener_on_a_loop, accepts_more_than_one_connection_per_turn) {
    constexpr std::uint64_t crowd = 48;  // less than one turn's budget
    auto listener = open(io::accepting::one_by_one);
    std::vector<unique_fd> peers;
    std::vector<unique_fd> accepted;
    run([&]() -> coro::task<> {
        // The first wait is over before they come, as it is in a server that is not new.
        auto none = co_await io::with_timeout(engine(), listener->accept(), 1ms);
        EXPECT_FALSE(none);
        for (std::uint64_t i = 0; i < crowd; ++i) peers.push_back(connect_to(port_of(*listener)));
        const auto before = engine().counters().turns;
        while (accepted.size() < crowd) {
            auto socket = co_await io::with_timeout(engine(), listener->accept(), 5s);
            EXPECT_TRUE(socket) << "after " << accepted.size();
            if (!socket) break;
            accepted.push_back(std::move(*socket));
        }
        EXPECT_LE(engine().counters().turns - before, 4U);
        co_await listener->close();
    });
}

TEST_P(listener_contract, a_wait_given_up_loses_no_client) {
    auto listener = open();
    std::vector<unique_fd> peers;
    run([&]() -> coro::task<> {
        for (int i = 0; i < 3; ++i) {
            auto none = co_await io::with_timeout(engine(), listener->accept(), 1ms);
            EXPECT_FALSE(none);
            // They come while no operation accepts.
            for (int k = 0; k < 2; ++k) peers.push_back(connect_to(port_of(*listener)));
            co_await io::sleep_for(engine(), 0ms);
            for (int k = 0; k < 2; ++k) {
                auto socket = co_await io::with_timeout(engine(), listener->accept(), 5s);
                EXPECT_TRUE(socket);
            }
        }
        co_await listener->close();
    });
}

TEST_P(listener_contract, closing_resets_clients_that_were_not_served) {
    auto listener = open();
    const auto port = port_of(*listener);
    const auto first = connect_to(port);
    const auto second = connect_to(port);
    run([&]() -> coro::task<> {
        auto socket = co_await listener->accept();
        EXPECT_TRUE(socket);
        co_await io::sleep_for(engine(), 0ms);
        co_await listener->close();
        co_await listener->close();
        EXPECT_EQ(listener->fd(), -1);
        auto none = co_await listener->accept();
        EXPECT_EQ(none.error(), error{fault::cancelled});
    });
    EXPECT_EQ(read_to_end(second.get()), "");
}

TEST_P(listener_contract, closing_leaves_clients_that_wait_to_who_wants_them) {
    auto listener = open();
    const auto port = port_of(*listener);
    const unique_fd shared{::fcntl(listener->fd(), F_DUPFD_CLOEXEC, 0)};
    const int flags = ::fcntl(shared.get(), F_GETFL);
    std::vector<unique_fd> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(connect_to(port));
    run([&]() -> coro::task<> {
        int wanted = 2;
        listener->keep_left([&wanted] { return wanted-- > 0; });
        co_await listener->close();
    });
    const auto left = listener->take_left();
    ASSERT_EQ(left.size(), 2U);
    for (std::size_t i = 0; i < left.size(); ++i) {
        write_all(clients[i].get(), "hello");
        EXPECT_EQ(read_exactly(left[i].get(), 5), "hello");
    }
    // As whoever goes on listening has set it.
    EXPECT_EQ(::fcntl(shared.get(), F_GETFL), flags);
    EXPECT_TRUE(unique_fd{::accept4(shared.get(), nullptr, nullptr, SOCK_CLOEXEC)});
}

TEST_P(listener_contract, a_client_that_left_the_backlog_does_no_harm) {
    auto listener = open();
    {
        const auto gone = connect_to(port_of(*listener));
        reset_at_close(gone.get());
    }
    const auto here = connect_to(port_of(*listener));
    write_all(here.get(), "here");
    run([&]() -> coro::task<> {
        // Linux gives the socket all the same, and the reset on its first use.
        for (;;) {
            auto socket = co_await io::with_timeout(engine(), listener->accept(), 5s);
            EXPECT_TRUE(socket);
            if (!socket) break;
            net::connection c{engine(), std::move(*socket)};
            auto got = co_await c.recv();
            co_await c.close();
            if (shown(got) == "here") break;
            EXPECT_EQ(shown(got), "(connection reset by peer)");
        }
        co_await listener->close();
    });
}

TEST_P(listener_contract, shares_its_port_only_on_request) {
    auto where = net::address::parse("127.0.0.1:0");
    auto one = net::listen(*where, {.share_port = true});
    ASSERT_TRUE(one);
    where = net::address::local_of(one->get());
    auto other = net::listen(*where, {.share_port = true});
    EXPECT_TRUE(other);
    auto alone = net::listen(*where);
    ASSERT_FALSE(alone);
    EXPECT_TRUE(alone.error().is(EADDRINUSE));
}

// ----- out of descriptors

/// No new descriptor while this lives: the limit is the lowest number that is free.
class no_descriptors {
 public:
    no_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest = ::dup(0);
        ::close(lowest);
        const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest), .rlim_max = before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
    rlimit before_{};
};

/// Ends a shortage in the second pause, also where the thread waits inside an operation.
struct relief : io::timer {
    relief(const net::listener& l, std::unique_ptr<no_descriptors>& s)
        : timer{&check}, listener{l}, shortage{s} {
        arm_again();
    }
    void arm_again() { listener.engine().timers().arm(*this, io::clock::now() + 10ms); }
    static void check(io::timer& t) noexcept {
        auto& self = static_cast<relief&>(t);
        if (self.listener.counted().pauses < 2) return self.arm_again();
        self.shortage.reset();
    }
    const net::listener& listener;
    std::unique_ptr<no_descriptors>& shortage;
};

TEST_P(listener_on_a_loop, one_that_dies_in_such_a_pause_ends_its_accept) {
    auto listener = open();
    const auto peer = connect_to(port_of(*listener));
    run([&]() -> coro::task<> {
        auto slept = co_await io::sleep_for(engine(), 1ms);
        EXPECT_TRUE(slept);
        auto shortage = std::make_unique<no_descriptors>();
        coro::scope one{co_await coro::this_context()};
        auto accept = [](net::listener& l, std::string& into) -> coro::task<> {
            auto got = co_await l.accept();
            into = got ? "accepted" : got.error().message();
        };
        std::string seen;
        one.spawn(accept(*listener, seen));
        while (listener->counted().pauses == 0) co_await io::sleep_for(engine(), 0ms);
        listener.reset();
        shortage.reset();
        co_await one.join();
        EXPECT_EQ(seen, "cancelled");
    });
}

TEST_P(listener_contract, out_of_descriptors_it_sheds_pauses_and_recovers) {
    auto listener = open();
    std::vector<unique_fd> peers;
    for (int i = 0; i < 3; ++i) peers.push_back(connect_to(port_of(*listener)));
    std::unique_ptr<no_descriptors> shortage;
    const relief second_pause{*listener, shortage};
    const auto before = io::clock::now();
    run([&]() -> coro::task<> {
        // A wait first: the sanitizer needs a descriptor to look at an object of a type new to it.
        auto slept = co_await io::sleep_for(engine(), 1ms);
        EXPECT_TRUE(slept);
        shortage = std::make_unique<no_descriptors>();
        auto socket = co_await listener->accept();
        EXPECT_TRUE(socket);
        EXPECT_FALSE(shortage);
        co_await listener->close();
    });
    // A few turns for each check and each pause, and a question for each of the three.
    const auto checks = static_cast<std::uint64_t>((io::clock::now() - before) / 10ms);
    EXPECT_LT(engine().counters().turns, 20 + (2 * checks));
    EXPECT_LT(engine().counters().operations, 10U);
    EXPECT_EQ(listener->counted().accepted, 1U);
    EXPECT_EQ(listener->counted().pauses, 2U);
    EXPECT_EQ(listener->counted().shed, 2U);
    // A stream's end would say of what a client had sent that it was taken.
    for (const std::size_t shed : {0U, 1U}) {
        char byte = 0;
        EXPECT_EQ(::recv(peers.at(shed).get(), &byte, 1, 0), -1);
        EXPECT_EQ(errno, ECONNRESET);
    }
}

TEST_P(listener_contract, a_shortage_before_it_was_asked_is_no_reason_to_spin) {
    auto listener = open();
    run([&]() -> coro::task<> {
        // On io_uring the stream is armed, and meets the shortage while no operation waits for it.
        auto none = co_await io::with_timeout(engine(), listener->accept(), 1ms);
        EXPECT_FALSE(none);
        std::vector<unique_fd> peers(3);
        for (auto& peer : peers) peer.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        auto shortage = std::make_unique<no_descriptors>();
        const auto where = *listener->local();
        for (const auto& peer : peers) {
            EXPECT_EQ(::connect(peer.get(), where.data(), where.size()), 0);
        }
        const auto turns = engine().counters().turns;
        co_await io::sleep_for(engine(), 20ms);
        EXPECT_LT(engine().counters().turns - turns, 20U);
        shortage.reset();
        std::size_t served = 0;
        for (;;) {
            auto socket = co_await io::with_timeout(engine(), listener->accept(), 120ms);
            if (!socket) break;
            ++served;
        }
        EXPECT_EQ(served + listener->counted().shed, 3U);
        EXPECT_GE(served, 2U);
        co_await listener->close();
    });
}

// Two coroutines accept from one listener.
class busy_listener_contract : public listener_contract {
 protected:
    static coro::task<> accept_until_refused(net::listener& listener, std::string& why) {
        for (;;) {
            auto socket = co_await listener.accept();
            if (socket) continue;
            why = socket.error().message();
            co_return;
        }
    }
};
INSTANTIATE_TEST_SUITE_P(on, busy_listener_contract, ::testing::ValuesIn(every_loop()),
                         engine_name);

TEST_P(busy_listener_contract, closing_ends_who_accepts) {
    for (int turns = 0; turns < 4; ++turns) {
        auto listener = open();
        run([&]() -> coro::task<> {
            std::string why;
            coro::scope all{co_await coro::this_context()};
            all.spawn(accept_until_refused(*listener, why));
            for (int i = 0; i < turns; ++i) co_await io::sleep_for(engine(), 0ms);
            co_await listener->close();
            EXPECT_EQ(why, "cancelled");
            co_await all.join();
        });
    }
}

TEST_P(busy_listener_contract, closing_ends_who_pauses) {
    auto listener = open();
    const auto peer = connect_to(port_of(*listener));
    run([&]() -> coro::task<> {
        std::string why;
        coro::scope all{co_await coro::this_context()};
        auto shortage = std::make_unique<no_descriptors>();
        all.spawn(accept_until_refused(*listener, why));
        while (listener->counted().pauses == 0) co_await io::sleep_for(engine(), 0ms);
        co_await listener->close();
        shortage.reset();
        // The number may have a new owner when the pause ends.
        const auto other = local_pair();
        co_await all.join();
        EXPECT_EQ(why, "cancelled");
    });
}

TEST_P(busy_listener_contract, serves_a_thousand_short_connections) {
    constexpr int connections = 1000;
    auto listener = open();
    int served = 0;
    run([&]() -> coro::task<> {
        coro::scope all{co_await coro::this_context()};
        auto serve_one = [](io::engine& e, unique_fd fd, int& count) -> coro::task<> {
            net::connection c{e, std::move(fd)};
            auto got = co_await c.recv();
            if (got) {
                auto sent = co_await c.send_all(got->bytes());
                if (sent) ++count;
            }
            co_await c.close();
        };
        auto serve = [&serve_one](io::engine& e, net::listener& l, int& count) -> coro::task<> {
            coro::scope sessions{co_await coro::this_context()};
            for (int i = 0; i < connections; ++i) {
                auto socket = co_await l.accept();
                EXPECT_TRUE(socket);
                if (!socket) break;
                sessions.spawn(serve_one(e, std::move(*socket), count));
            }
            co_await sessions.join();
        };
        auto connect_often = [](io::engine& e, net::address where, int times) -> coro::task<> {
            for (int i = 0; i < times; ++i) {
                auto socket = co_await net::dial(e, where);
                EXPECT_TRUE(socket) << socket.error().message();
                if (!socket) co_return;
                net::connection c{e, std::move(*socket)};
                auto sent = co_await c.send_all("ping");
                EXPECT_TRUE(sent);
                auto got = co_await c.recv();
                EXPECT_EQ(shown(got), "ping");
                c.set_linger_reset();
                co_await c.close();
            }
        };
        all.spawn(serve(engine(), *listener, served));
        for (int i = 0; i < 50; ++i)
            all.spawn(connect_often(engine(), *listener->local(), connections / 50));
        co_await all.join();
        co_await listener->close();
    });
    EXPECT_EQ(served, connections);
}

}  // namespace
}  // namespace sluice::test
