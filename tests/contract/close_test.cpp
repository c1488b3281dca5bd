// Closing a connection while others use it, and what becomes of its number.
#include <fcntl.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sluice/coro/scope.hpp"
#include "sluice/io/deadline.hpp"
#include "sluice/net/connection.hpp"
#include "sluice/net/listener.hpp"
#include "tests/support/engine_test.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/steps.hpp"

namespace sluice::test {
namespace {

using namespace std::chrono_literals;

class close_contract : public engine_test {};
INSTANTIATE_TEST_SUITE_P(on, close_contract, ::testing::ValuesIn(every_engine()), engine_name);

TEST_P(close_contract, twice_is_once) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        co_await c.close();
        EXPECT_EQ(c.fd(), -1);
        EXPECT_EQ(read_to_end(theirs.get()), "");
        co_await c.close();
    });
}

TEST_P(close_contract, what_was_received_and_not_taken_goes_home) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        write_all(theirs.get(), "one");
        auto one = co_await c.recv();
        EXPECT_EQ(shown(one), "one");
        write_all(theirs.get(), "two");
        co_await io::sleep_for(engine(), 0ms);
        co_await io::sleep_for(engine(), 0ms);
        co_await c.close();
        EXPECT_EQ(engine().buffers().leased(), 1U);
        EXPECT_EQ(shown(one), "one");
    });
}

TEST_P(close_contract, an_operation_afterwards_is_refused) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        write_all(theirs.get(), "x");
        auto got = co_await c.recv();
        EXPECT_EQ(shown(got), "x");
        co_await c.close();
        auto read = co_await c.recv();
        EXPECT_EQ(shown(read), "(cancelled)");
        auto sent = co_await c.send_all("hello");
        EXPECT_EQ(shown(sent), "(cancelled)");
        auto part = co_await c.send(as_bytes("hello"));
        EXPECT_EQ(shown(part), "(cancelled)");
    });
}

TEST_P(close_contract, by_reset_tells_the_peer) {
    auto [ours, theirs] = tcp_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        c.set_linger_reset();
        co_await c.close();
    });
    char byte = 0;
    EXPECT_EQ(::recv(theirs.get(), &byte, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
}

// ----- with operations in flight

class busy_close_contract : public engine_test {
 protected:
    coro::task<> read_until_refused(net::connection& c, std::string& seen) {
        for (;;) {
            auto got = co_await c.recv();
            seen += shown(got);
            if (!got || got->empty()) co_return;
        }
    }
    coro::task<> write_until_refused(net::connection& c, std::string& seen) {
        static const std::string text = pattern(1 << 20);
        for (;;) {
            auto sent = co_await c.send(as_bytes(text));
            if (sent) continue;
            seen = shown(sent);
            co_return;
        }
    }
    coro::task<> write_all_until_refused(net::connection& c, std::string& seen) {
        static const std::string text = pattern(1 << 20);
        auto sent = co_await c.send_all(text);
        seen = shown(sent);
    }
    coro::task<> just_close(net::connection& c, int& closed) {
        co_await c.close();
        EXPECT_EQ(c.fd(), -1);
        ++closed;
    }
};
INSTANTIATE_TEST_SUITE_P(on, busy_close_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(busy_close_contract, ends_a_reader_and_a_writer) {
    for (int turns = 0; turns < 6; ++turns) {
        auto [ours, theirs] = local_pair();
        run([&]() -> coro::task<> {
            net::connection c{engine(), std::move(ours)};
            std::string read;
            std::string written;
            coro::scope others{co_await coro::this_context()};
            others.spawn(read_until_refused(c, read));
            others.spawn(write_all_until_refused(c, written));
            for (int i = 0; i < turns; ++i) co_await io::sleep_for(engine(), 0ms);
            co_await c.close();
            co_await others.join();
            EXPECT_EQ(read, "(cancelled)");
            EXPECT_EQ(written, "(cancelled)");
        });
        theirs.reset();
    }
}

TEST_P(busy_close_contract, no_operation_waits_on_a_connection_that_is_closed) {
    // So it may be destroyed once close() has returned; operations that waited have ended before.
    for (int turns = 0; turns < 6; ++turns) {
        for (const bool bytes_came : {false, true}) {
            auto [ours, theirs] = local_pair();
            run([&]() -> coro::task<> {
                std::string read;
                std::string written;
                coro::scope others{co_await coro::this_context()};
                auto c = std::make_unique<net::connection>(engine(), std::move(ours));
                others.spawn(read_until_refused(*c, read));
                others.spawn(write_until_refused(*c, written));
                for (int i = 0; i < turns; ++i) co_await io::sleep_for(engine(), 0ms);
                if (bytes_came) {
                    write_all(theirs.get(), "x");
                    static_cast<void>(read_what_is_there(theirs.get()));
                }
                co_await c->close();
                EXPECT_EQ(others.size(), 0U);
                c.reset();
                co_await others.join();
                EXPECT_TRUE(read == "(cancelled)" || read == "x(cancelled)") << read;
                EXPECT_EQ(written, "(cancelled)");
            });
        }
    }
}

TEST_P(busy_close_contract, who_was_served_in_the_same_turn_is_refused_next_time) {
    // The reader's bytes and the writer's space come in the turn in which a third one closes.
    auto [ours, theirs] = local_pair();
    steps later{engine()};
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string read;
        std::string written;
        int closed = 0;
        coro::scope others{co_await coro::this_context()};
        others.spawn(read_until_refused(c, read));
        others.spawn(write_until_refused(c, written));
        for (int i = 0; i < 3; ++i) co_await io::sleep_for(engine(), 0ms);
        later.begin({[&] {
                         write_all(theirs.get(), "x");
                         static_cast<void>(read_what_is_there(theirs.get()));
                     },
                     [&] { others.spawn(just_close(c, closed)); }});
        co_await others.join();
        EXPECT_EQ(closed, 1);
        EXPECT_TRUE(read == "(cancelled)" || read == "x(cancelled)") << read;
        EXPECT_EQ(written, "(cancelled)");
    });
}

TEST_P(busy_close_contract, by_two_at_once) {
    auto [ours, theirs] = local_pair();
    run([&]() -> coro::task<> {
        net::connection c{engine(), std::move(ours)};
        std::string read;
        int closed = 0;
        coro::scope others{co_await coro::this_context()};
        others.spawn(read_until_refused(c, read));
        for (int i = 0; i < 3; ++i) co_await io::sleep_for(engine(), 0ms);
        others.spawn(just_close(c, closed));
        others.spawn(just_close(c, closed));
        co_await others.join();
        EXPECT_EQ(closed, 2);
        EXPECT_EQ(read, "(cancelled)");
    });
    EXPECT_EQ(read_to_end(theirs.get()), "");
}

TEST_P(busy_close_contract, a_number_that_comes_back_is_a_new_connection) {
    // The kernel gives the lowest free number: the one that has just been closed. Nothing of the
    // old connection may reach the new one: no bytes, no cancel, no event.
    auto [ours, theirs] = local_pair();
    const int number = ours.get();
    run([&]() -> coro::task<> {
        coro::scope others{co_await coro::this_context()};
        std::string seen;
        for (int round = 0; round < 50; ++round) {
            auto old = std::make_unique<net::connection>(engine(), std::move(ours));
            EXPECT_EQ(old->fd(), number);
            seen.clear();
            others.spawn(read_until_refused(*old, seen));
            for (int i = 0; i < round % 4; ++i) co_await io::sleep_for(engine(), 0ms);
            // An event that is on its way when the number changes hands.
            write_all(theirs.get(), "for the old one");
            co_await old->close();
            co_await others.join();
            old.reset();
            auto fresh = local_pair();
            if (fresh.theirs.get() == number) std::swap(fresh.ours, fresh.theirs);
            EXPECT_EQ(fresh.ours.get(), number);
            ours = std::move(fresh.ours);
            theirs = std::move(fresh.theirs);
            net::connection c{engine(), std::move(ours)};
            auto none = co_await io::with_timeout(engine(), c.recv(), 0ms);
            EXPECT_EQ(shown(none), "(the deadline passed)");
            write_all(theirs.get(), "for the new one");
            auto got = co_await c.recv();
            EXPECT_EQ(shown(got), "for the new one");
            co_await c.close();
            auto next = local_pair();
            if (next.theirs.get() == number) std::swap(next.ours, next.theirs);
            ours = std::move(next.ours);
            theirs = std::move(next.theirs);
        }
    });
}

TEST_P(busy_close_contract, an_open_duplicate_does_no_harm) {
    // Events of a closed descriptor with an open duplicate must not reach its successor.
    auto [ours, theirs] = local_pair();
    const int number = ours.get();
    const unique_fd duplicate{::dup(ours.get())};
    run([&]() -> coro::task<> {
        net::connection old{engine(), std::move(ours)};
        auto late = co_await io::with_timeout(engine(), old.recv(), 1ms);
        EXPECT_EQ(shown(late), "(the deadline passed)");
        co_await old.close();
        auto fresh = local_pair();
        if (fresh.theirs.get() == number) std::swap(fresh.ours, fresh.theirs);
        EXPECT_EQ(fresh.ours.get(), number);
        net::connection c{engine(), std::move(fresh.ours)};
        auto none = co_await io::with_timeout(engine(), c.recv(), 1ms);
        EXPECT_EQ(shown(none), "(the deadline passed)");
        write_all(theirs.get(), "for nobody");
        const auto turns = engine().counters().turns;
        none = co_await io::with_timeout(engine(), c.recv(), 20ms);
        EXPECT_EQ(shown(none), "(the deadline passed)");
        EXPECT_LT(engine().counters().turns - turns, 10U);
        co_await c.close();
    });
}

// ----- by a destructor, with operations in flight

class forgotten_contract : public busy_close_contract {
 protected:
    coro::task<> read_with_deadline(net::connection& c, std::string& seen) {
        auto got = co_await io::with_timeout(engine(), c.recv(), 40s);
        seen += shown(got);
    }
    coro::task<> read_into_once(net::connection& c, std::string& seen) {
        std::string buffer(8, '.');
        auto got = co_await c.recv_into(std::as_writable_bytes(std::span{buffer}));
        seen += shown(got);
    }
    coro::task<> accept_once(net::listener& l, std::string& seen) {
        auto got = co_await l.accept();
        seen = got ? "(accepted)" : "(" + got.error().message() + ")";
    }
    void turns(int count) {
        for (int i = 0; i < count; ++i) engine().run_once(io::clock::now());
    }
};
INSTANTIATE_TEST_SUITE_P(on, forgotten_contract, ::testing::ValuesIn(every_loop()), engine_name);

TEST_P(forgotten_contract, an_operation_ends_with_the_frame_that_awaits_it) {
    for (int waited = 0; waited < 4; ++waited) {
        for (const bool bytes_came : {false, true}) {
            auto [ours, theirs] = local_pair();
            std::string seen;
            net::connection c{engine(), std::move(ours)};
            coro::context root{engine().ready()};
            auto reader = read_into_once(c, seen);
            reader.set_context(root);
            auto handle = reader.release();
            handle.resume();
            turns(waited);
            if (bytes_came) write_all(theirs.get(), "x");
            handle.destroy();
            EXPECT_EQ(engine().in_flight(), 0U);
            turns(2);
            EXPECT_EQ(seen, "");
            // The descriptor serves others.
            run([&]() -> coro::task<> {
                write_all(theirs.get(), "y");
                auto got = co_await c.recv();
                EXPECT_THAT(shown(got), ::testing::EndsWith("y"));
                co_await c.close();
            });
        }
    }
}

TEST_P(forgotten_contract, a_coroutine_that_was_resumed_too_late_may_die) {
    // The result is there, and the coroutine in the queue of those to be resumed.
    auto [ours, theirs] = local_pair();
    std::string seen;
    net::connection c{engine(), std::move(ours)};
    coro::context root{engine().ready()};
    auto reader = read_into_once(c, seen);
    reader.set_context(root);
    auto handle = reader.release();
    handle.resume();
    turns(1);
    root.cancel();
    handle.destroy();
    turns(3);
    EXPECT_EQ(seen, "");
}

TEST_P(forgotten_contract, a_connection_ends_its_reader_and_its_writer) {
    for (int waited = 0; waited < 5; ++waited) {
        for (const bool bytes_came : {false, true}) {
            auto [ours, theirs] = local_pair();
            run([&]() -> coro::task<> {
                std::string read;
                std::string written;
                coro::scope others{co_await coro::this_context()};
                auto c = std::make_unique<net::connection>(engine(), std::move(ours));
                others.spawn(read_with_deadline(*c, read));
                others.spawn(write_all_until_refused(*c, written));
                for (int i = 0; i < waited; ++i) co_await io::sleep_for(engine(), 0ms);
                // Not taken in yet: what came is lost with the connection.
                if (bytes_came) write_all(theirs.get(), "x");
                c.reset();
                EXPECT_EQ(others.size(), 2U);
                EXPECT_EQ(engine().in_flight(), 0U);
                co_await others.join();
                EXPECT_EQ(read, "(cancelled)");
                EXPECT_EQ(written, "(cancelled)");
            });
            EXPECT_EQ(engine().buffers().leased(), 0U);
            // It was closed, too.
            static_cast<void>(read_to_end(theirs.get()));
        }
    }
}

TEST_P(forgotten_contract, a_reader_that_is_ready_when_the_connection_dies) {
    auto [ours, theirs] = local_pair();
    auto c = std::make_unique<net::connection>(engine(), std::move(ours));
    std::string seen;
    steps later{engine()};
    run([&]() -> coro::task<> {
        coro::scope others{co_await coro::this_context()};
        others.spawn(read_with_deadline(*c, seen));
        // Taken in by the engine in the turn of the last step, in which the reader would resume.
        later.begin({[] {}, [&] { write_all(theirs.get(), "x"); }, [&] { c.reset(); }});
        co_await others.join();
    });
    EXPECT_TRUE(seen == "(cancelled)" || seen == "x") << seen;
}

TEST_P(forgotten_contract, more_connections_than_a_queue_has_entries) {
    constexpr std::size_t count = 40;
    std::vector<std::string> seen(count);
    std::vector<unique_fd> peers;
    run([&]() -> coro::task<> {
        std::vector<std::unique_ptr<net::connection>> connections;
        coro::scope all{co_await coro::this_context()};
        for (std::size_t i = 0; i < count; ++i) {
            auto pair = local_pair();
            peers.push_back(std::move(pair.theirs));
            connections.push_back(
                std::make_unique<net::connection>(engine(), std::move(pair.ours)));
            if (i % 2 == 0) {
                all.spawn(read_until_refused(*connections.back(), seen[i]));
            } else {
                all.spawn(read_into_once(*connections.back(), seen[i]));
            }
        }
        for (std::size_t i = 0; i < count; i += 3) write_all(peers[i].get(), "x");
        connections.clear();
        co_await all.join();
    });
    EXPECT_THAT(seen, ::testing::Each(::testing::AnyOf("(cancelled)", "1")));
}

TEST_P(forgotten_contract, a_listener_ends_its_accept) {
    for (int waited = 0; waited < 4; ++waited) {
        for (const bool client_came : {false, true}) {
            auto [socket, port] = listen_on_loopback();
            std::string seen;
            unique_fd client;
            run([&]() -> coro::task<> {
                auto listener = std::make_unique<net::listener>(engine(), std::move(socket));
                coro::scope one{co_await coro::this_context()};
                one.spawn(accept_once(*listener, seen));
                for (int i = 0; i < waited; ++i) co_await io::sleep_for(engine(), 0ms);
                if (client_came) client = connect_to(port);
                listener.reset();
                EXPECT_EQ(engine().in_flight(), 0U);
                co_await one.join();
            });
            EXPECT_EQ(seen, "(cancelled)");
            if (client_came) {
                EXPECT_EQ(read_to_end(client.get()), "");
            }
        }
    }
}

TEST_P(forgotten_contract, a_descriptor_that_is_detached_ends_its_operations) {
    auto [ours, theirs] = local_pair();
    EXPECT_TRUE(engine().attach(ours.get()));
    std::string seen;
    run([&]() -> coro::task<> {
        coro::scope one{co_await coro::this_context()};
        auto read = [](io::engine& e, int fd, std::string& into) -> coro::task<> {
            std::string buffer(8, '.');
            auto got = co_await io::recv_into{e, fd, std::as_writable_bytes(std::span{buffer})};
            into = shown(got);
        };
        one.spawn(read(engine(), ours.get(), seen));
        co_await io::sleep_for(engine(), 0ms);
        engine().detach(ours.get());
        EXPECT_EQ(engine().in_flight(), 0U);
        co_await one.join();
    });
    EXPECT_EQ(seen, "(cancelled)");
}

TEST_P(forgotten_contract, a_sleep_ends_with_its_frame) {
    for (const bool was_cancelled : {false, true}) {
        coro::context root{engine().ready()};
        auto sleeper = [](io::engine& e) -> coro::task<> {
            auto slept = co_await io::sleep_for(e, 1ms);
            ADD_FAILURE() << shown(slept);
        };
        auto sleeping = sleeper(engine());
        sleeping.set_context(root);
        auto handle = sleeping.release();
        handle.resume();
        if (was_cancelled) root.cancel();
        handle.destroy();
        root.cancel();
        turns(2);
        EXPECT_EQ(engine().timers().next(), io::never);
    }
}

}  // namespace
}  // namespace sluice::test
